//! Chapter 10's promises.
