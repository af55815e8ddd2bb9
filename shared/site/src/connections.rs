//! The server's connections: how many there are, how long they may idle, and how they end.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::Request, response::Response, serve::Listener};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time,
};
use tower::ServiceExt;

/// How many connections there are at most. A process may open 256 files on macOS and 1024 on
/// Linux unless it is told otherwise, and a database needs some of them.
const MAX_CONNECTIONS: usize = 200;

/// How long a connection may take to send the head of a request, counted from its start or from
/// the response before. So it is also how long a connection may idle.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long requests that are still running may take once the server was told to stop.
pub const GRACE: Duration = Duration::from_secs(1);

/// Serves `app` to all who connect, until `stop` resolves and [`GRACE`] is over. A handler finds the
/// address of the other end as [`ConnectInfo`].
pub async fn serve<L>(mut listener: L, app: Router, stop: impl Future)
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    let house = House::default();
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // Without a timer, hyper has no time limits at all.
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);

    let mut stop = pin!(stop);
    loop {
        let (stream, address, seat) = tokio::select! {
            newcomer = house.admit(&mut listener) => newcomer,
            _ = &mut stop => break,
        };
        let is_running = Arc::new(watch::Sender::new(false));
        let (app, running) = (app.clone(), is_running.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(address.clone()));
            respond(app.clone(), running.clone(), request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tracing::trace!("a connection was accepted");
        tokio::spawn(hold(connection, house.make_room.clone(), is_running, seat));
    }

    drop(listener);
    if time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("cut off the requests that were still running after {GRACE:?}");
    }
}

/// Keeps the connection, with its seat, until one of the two sides closes it.
async fn hold(
    connection: impl Future<Output = hyper::Result<()>>,
    make_room: Arc<Notify>,
    is_running: Arc<watch::Sender<bool>>,
    _seat: OwnedSemaphorePermit,
) {
    tokio::select! {
        // First of all, read what has come: a request that is there is not to be lost.
        biased;
        ended = connection => if let Err(error) = ended {
            // By the visitor, or because of a time limit.
            tracing::debug!(%error, "a connection was cut off");
        },
        () = asked_to_leave(&make_room, &is_running) => {
            tracing::debug!("an idle connection made room");
        }
    }
}

async fn respond(
    app: Router,
    is_running: Arc<watch::Sender<bool>>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    is_running.send_replace(true);
    let response = app.oneshot(request).await;
    is_running.send_replace(false);
    response
}

/// Room for [`MAX_CONNECTIONS`]. In a full house a newcomer is served at once all the same: the
/// connection that has idled longest makes room, as in nginx. A browser whose connection is closed
/// opens another one, and its visitor notices nothing.
struct House {
    seats: Arc<Semaphore>,
    /// Idle connections wait here, in the order in which they became idle.
    make_room: Arc<Notify>,
}

impl Default for House {
    fn default() -> House {
        House { seats: Arc::new(Semaphore::new(MAX_CONNECTIONS)), make_room: Arc::default() }
    }
}

impl House {
    /// Waits for the next connection, and for room for it. Out of file descriptors, `accept` logs
    /// the error and tries again a second later.
    async fn admit<L: Listener>(&self, listener: &mut L) -> (L::Io, L::Addr, OwnedSemaphorePermit) {
        let (stream, address) = listener.accept().await;
        if self.seats.available_permits() == 0 {
            // If all are busy, the first that is not will find this note.
            self.make_room.notify_one();
        }
        let seat = self.seats.clone().acquire_owned().await;
        (stream, address, seat.expect("the semaphore is never closed"))
    }
}

/// Resolves when this connection has no request running and its turn has come to make room.
///
/// A request runs until its handler has answered, not until its visitor has read the answer: one
/// who never reads could keep a place for ever.
async fn asked_to_leave(make_room: &Notify, is_running: &watch::Sender<bool>) {
    let mut is_running = is_running.subscribe();
    loop {
        let _ = is_running.wait_for(|is_running| !is_running).await;
        tokio::select! {
            biased;
            // A request came, perhaps a short one that is over already: back to the queue's end.
            _ = is_running.changed() => {}
            () = make_room.notified() => return,
        }
    }
}

#[cfg(test)]
mod tests;
