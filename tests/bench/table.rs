//! The table, a line as soon as it is known.

use crate::{clients::Measured, server::App};

/// Columns: what a plain terminal of 100 characters holds.
const HEAD: &str = "                          req/s  ratio  plain  p50 ms  p99 ms  server µs  \
                    clients  others  peak MiB";

#[derive(Default)]
pub struct Table {
    no_session: Option<f64>,
    /// The plain store comes after rows that are compared with it, so those wait for it.
    plain: Option<f64>,
    waiting: Vec<(String, Measured)>,
}

impl Table {
    pub fn start() -> Table {
        println!("{HEAD}");
        Table::default()
    }

    pub fn add(&mut self, title: &str, app: Option<App>, measured: Measured) {
        match app {
            Some(App::NoSession) => self.no_session = Some(measured.per_second()),
            Some(App::Plain) => self.plain = Some(measured.per_second()),
            _ => {}
        }
        self.waiting.push((title.to_owned(), measured));
        if self.plain.is_some() {
            self.print();
        }
    }

    fn print(&mut self) {
        for (title, measured) in self.waiting.drain(..) {
            println!(
                "{title:<22} {:>8.0} {} {} {:>7.2} {:>7.2} {:>10} {:>7.0}% {:>6.0}% {:>9.1}",
                measured.per_second(),
                ratio(&measured, self.no_session),
                ratio(&measured, self.plain),
                1000.0 * measured.percentile(50).as_secs_f64(),
                1000.0 * measured.percentile(99).as_secs_f64(),
                measured.server_per_request().as_micros(),
                100.0 * measured.clients_busy(),
                100.0 * measured.others_busy(),
                measured.peak_memory as f64 / 1024.0,
            );
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.print();
    }
}

fn ratio(measured: &Measured, of: Option<f64>) -> String {
    match of {
        Some(of) => format!("{:>6.2}", measured.per_second() / of),
        None => format!("{:>6}", "-"),
    }
}
