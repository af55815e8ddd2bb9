//! Sessions in the cookie itself: what an encrypted cookie promises, and what it cannot.
//!
//! | file | what it asks |
//! |---|---|
//! | `secret.rs` | can only the server read and write it? |
//! | `keys.rs` | which keys encrypt, and which open? |
//! | `promises.rs` | which of the promises hold? |
//! | `no_promises.rs` | which do not, so that the documentation can point at them? |
//! | `size.rs` | what fits? |

#[path = "../helpers/mod.rs"]
mod helpers;
mod keys;
mod no_promises;
mod promises;
mod secret;
mod site;
mod size;
