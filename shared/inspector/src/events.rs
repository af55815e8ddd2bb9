//! What libraries log about a request, noted with the request.

use std::fmt;

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{Filtered, Targets},
    layer::Context,
    registry::LookupSpan,
};

use crate::{
    notes::{State, What, shortened},
    watch::{is_watching, say},
};

/// A layer for `tracing_subscriber` that adds to the notes what a session's middleware says of it:
/// was it looked at, was it modified, was it merged. Warnings and errors are noted from everywhere.
///
/// ```
/// use tracing_subscriber::{fmt, prelude::*, registry};
///
/// let _ = registry().with(fmt::layer()).with(inspector::events()).try_init();
/// ```
///
/// Without it, the inspector shows what came, what the store was asked, and what went.
pub fn events<S>() -> Filtered<Events, Targets, S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let targets = Targets::new()
        .with_default(Level::WARN)
        .with_target("sessions", Level::DEBUG)
        .with_target("tower_sessions", Level::TRACE)
        // A program's own middleware may say the same of its sessions.
        .with_target(STATE, Level::DEBUG);
    Events(()).with_filter(targets)
}

/// The target under which a program's own middleware says how its session is after the handler:
/// an event with the fields `accessed`, `modified`, `changed` and `always_save`, each true or false.
const STATE: &str = "session_state";

/// Made by [`events`].
#[derive(Debug)]
pub struct Events(());

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !is_watching() {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, state, .. } = fields;
        let is_warning = *event.metadata().level() <= Level::WARN;
        if state.modified.is_some() {
            say(What::Handled(state));
        } else if is_warning || message.contains("merging") {
            let cause = fields.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            say(What::Said { text: shortened(&format!("{message}{cause}")), is_warning });
        }
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    cause: Option<String>,
    state: State,
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "accessed" => self.state.accessed = Some(value),
            "modified" => self.state.modified = Some(value),
            "changed" => self.state.changed = Some(value),
            "always_save" => self.state.always = Some(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "cause" | "err" | "error" => self.cause = Some(format!("{value:?}")),
            _ => {}
        }
    }
}
