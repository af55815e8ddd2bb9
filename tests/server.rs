//! What every chapter's program promises the reader who starts it.

#[cfg(unix)]
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    time::Duration,
};
use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    thread,
};

use programs::{Server, Signal, chapters, get, post};
use tempfile::TempDir;

/// A chapter. Here all are needed, and cargo builds them at once sooner than one after another.
fn chapter(number: u32) -> Command {
    chapters();
    programs::chapter(number)
}

/// A chapter in an empty folder, where it may leave a database.
fn chapter_in(folder: &TempDir, number: u32) -> Command {
    let mut command = chapter(number);
    command.current_dir(folder);
    command
}

fn folder() -> TempDir {
    TempDir::new().expect("an empty folder")
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

/// Chapter 1, which may open so many files and connections.
#[cfg(unix)]
fn chapter_1_with(files: u32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files} && exec \"$0\"")]);
    command.arg(chapter(1).get_program()).env("PORT", "0");
    command
}

/// Connections on which nothing is sent.
#[cfg(unix)]
fn idle(server: &Server, number: usize) -> Vec<TcpStream> {
    let address = server.address().trim_start_matches("http://");
    (0..number).map(|_| TcpStream::connect(address).expect("a connection")).collect()
}

/// The example of shared/site whose threads block.
#[cfg(unix)]
fn blocked() -> Command {
    programs::example("blocked")
}

/// What would never end without the promise is a failure, not a test run that hangs.
#[cfg(unix)]
fn within_a_minute<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static) -> T {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(action()));
    end.recv_timeout(Duration::from_secs(60)).expect("it ends")
}

fn error_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.trim_end().lines().count(), 1, "one line, not:\n{text}");
    text
}

#[test]
fn every_chapter_prints_its_address_and_answers_there() {
    for number in chapters() {
        let folder = folder();
        let server = Server::start(&mut chapter_in(&folder, number));
        assert!(server.greeting().contains("Open http://127.0.0.1:"), "{}", server.greeting());
        assert!(get(server.address(), "/", "").status < 400, "chapter {number}");
        assert_eq!(get(server.address(), "/nowhere", "").status, 404, "chapter {number}");
    }
}

#[test]
fn a_port_in_use_is_one_line_with_the_remedy_and_exit_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    for number in chapters() {
        let folder = folder();
        let output = run(chapter_in(&folder, number).args(["--port", &port]));
        assert_eq!(output.status.code(), Some(1), "chapter {number}");
        assert_eq!(
            error_line(&output),
            format!(
                "error: port {port} is in use. Stop the program that uses it, or choose another \
                 port: --port 3000\n"
            )
        );
    }
}

#[test]
fn the_variable_port_is_obeyed_and_the_option_wins() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let program = chapter(1).get_program().to_owned();

    let by_variable = run(Command::new(&program).env("PORT", &port));
    assert!(error_line(&by_variable).contains(&port));

    let server = Server::start(Command::new(&program).env("PORT", &port).args(["--port", "0"]));
    assert_eq!(get(server.address(), "/", "").status, 200);
}

#[test]
fn a_port_that_is_no_number_is_explained() {
    let output = run(chapter(1).args(["--port", "http"]));
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("invalid value 'http' for '--port <PORT>'"), "{text}");
}

#[test]
fn help_says_what_each_program_is() {
    let mut seen = Vec::new();
    for number in chapters() {
        let output = run(chapter(number).arg("--help"));
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        let about = help.lines().next().expect("a first line").to_owned();
        // Not what the type is for that has the options, which is the same for all of them.
        assert!(!about.contains("option") && !seen.contains(&about), "chapter {number}: {about}");
        seen.push(about);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_end_it_although_connections_are_open() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::start(&mut chapter(1));
        let address = server.address().trim_start_matches("http://").to_owned();

        // As a browser does: one connection kept for the next request, one opened on a guess,
        // and one whose request never gets finished.
        let mut kept = TcpStream::connect(&address).expect("a connection");
        kept.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
        kept.read_exact(&mut [0; 15]).expect("HTTP/1.1 200 OK");
        let guessed = TcpStream::connect(&address).expect("a connection");
        let mut half = TcpStream::connect(&address).expect("a connection");
        half.write_all(b"POST /forget HTTP/1.1\r\nContent-Le").expect("half a request");

        // The connections stay open until it has ended.
        let (status, log) = within_a_minute(move || server.stop(signal));
        assert!(status.success(), "{status}: {log}");
        drop((kept, guessed, half));
    }
}

#[test]
fn the_inspector_is_announced_and_can_be_left_out() {
    for number in chapters() {
        let folder = folder();
        let server = Server::start(&mut chapter_in(&folder, number));
        let page = get(server.address(), "/inspector", "");
        assert_eq!(page.status, 200, "chapter {number}");
        assert!(page.page.contains("Nothing yet."), "chapter {number}: {}", page.page);
    }
    let mut server = Server::start(&mut chapter(1));
    let address = format!("See what just happened: {}/inspector", server.address());
    server.wait_for(&address);
    assert!(get(server.address(), "/", "").page.contains("href=\"/inspector\""));

    let server = Server::start(chapter(1).arg("--no-inspector"));
    assert_eq!(get(server.address(), "/inspector", "").status, 404);
    assert!(!get(server.address(), "/", "").page.contains("/inspector"));
}

#[test]
fn every_program_has_its_lesson_and_can_leave_it_out() {
    let all = chapters();
    for &number in &all {
        let folder = folder();
        let server = Server::start(&mut chapter_in(&folder, number));
        // All pages have it, also that of an unknown address.
        let page = get(server.address(), "/nowhere", "").page;
        let chapter = format!("<strong>Chapter {number}</strong> of {}:", all.len());
        assert!(page.contains(&chapter), "chapter {number}: {page}");
        assert!(
            page.contains(&format!("· Chapter {number}: ")),
            "its title says the chapter: {page}"
        );
        assert_eq!(page.matches("<li><span>").count(), 3, "chapter {number}: {page}");

        let links: Vec<&str> = page.split("href=\"").skip(1).collect();
        let links = links.iter().filter_map(|rest| rest.split('"').next());
        let read: Vec<&str> = links.filter(|link| link.starts_with("/read/")).collect();
        assert_eq!(read.len(), 2, "the page and the source of chapter {number}: {read:?}");
        for link in read {
            assert_eq!(get(server.address(), link, "").status, 200, "{link}");
        }
    }

    let server = Server::start(chapter(1).arg("--no-lesson"));
    let page = get(server.address(), "/", "").page;
    assert!(!page.contains("/read/") && !page.contains("Try this"), "{page}");
    assert_eq!(get(server.address(), "/read/docs/01-raw-cookies.md", "").status, 404);
}

#[cfg(unix)]
#[test]
fn a_page_that_waits_for_news_does_not_hold_up_the_end() {
    let server = Server::start(chapter(1).env("RUST_LOG", "warn"));
    let mut waiting = TcpStream::connect(&server.address()[7..]).expect("a connection");
    let host = &server.address()[7..];
    let request = format!("GET /inspector/news HTTP/1.1\r\nHost: {host}\r\n\r\n");
    waiting.write_all(request.as_bytes()).expect("it is sent");
    let mut head = [0; 15];
    waiting.read_exact(&mut head).expect("it answers");
    assert_eq!(&head, b"HTTP/1.1 200 OK");

    let (status, log) = within_a_minute(|| server.stop(Signal::TERM));
    assert!(status.success() && log.is_empty(), "{log}");
}

#[cfg(unix)]
#[test]
fn what_comes_after_serving_is_done_before_the_end() {
    let server = Server::start(&mut blocked());
    assert_eq!(get(server.address(), "/", "").status, 200);
    let (status, log) = within_a_minute(move || server.stop(Signal::INT));
    assert_eq!(status.code(), Some(0));
    assert_eq!(log, "The server has put everything in order.\n");
}

#[cfg(unix)]
#[test]
fn a_thread_that_is_blocked_for_good_does_not_keep_the_process() {
    let mut server = Server::start(&mut blocked());
    let address = server.address().to_owned();
    // Never answered.
    thread::spawn(move || ureq::get(format!("{address}/one")).call());
    server.wait_for("blocked: one");

    let (status, log) = within_a_minute(move || server.stop(Signal::TERM));
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("cut off the requests that were still running"), "{log}");
    assert!(log.contains("The server has put everything in order."), "{log}");
}

#[cfg(unix)]
#[test]
fn a_signal_counts_although_all_threads_are_blocked() {
    let mut server = Server::start(&mut blocked());
    let address = server.address().to_owned();
    thread::spawn(move || ureq::get(format!("{address}/all")).call());
    server.wait_for("blocked: all");

    let (status, _) = within_a_minute(move || server.stop(Signal::INT));
    assert_eq!(status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn more_idle_connections_than_files_shut_no_newcomer_out() {
    let server = Server::start(&mut chapter_1_with(256));
    let kept = idle(&server, 300);
    let address = server.address().to_owned();
    assert_eq!(within_a_minute(move || get(&address, "/", "").status), 200);
    let (_, log) = server.stop(Signal::TERM);
    assert!(!log.contains("accept error"), "there are always files left for a database: {log}");
    drop(kept);
}

#[cfg(unix)]
#[test]
fn out_of_file_descriptors_it_waits_and_goes_on() {
    let server = Server::start(&mut chapter_1_with(40));
    let kept = idle(&server, 60);
    let server = within_a_minute(move || {
        while !server.log().contains("accept error") {
            thread::sleep(Duration::from_millis(10));
        }
        server
    });
    drop(kept);

    let address = server.address().to_owned();
    assert_eq!(within_a_minute(move || get(&address, "/", "").status), 200);
    let (status, log) = server.stop(Signal::TERM);
    assert!(status.success(), "{status}: {log}");
    // It tries again once a second. Without a pause there would be thousands.
    assert!(log.lines().count() < 100, "{log}");
}

#[test]
fn a_log_in_a_file_has_no_codes_for_colours() {
    let server = Server::start(chapter(1).env("RUST_LOG", "debug").env_remove("NO_COLOR"));
    get(server.address(), "/nowhere", "");
    let (_, log) = server.stop(Signal::TERM);
    assert!(log.contains("/nowhere"), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
}

#[test]
fn rust_log_chooses_how_much_is_logged() {
    let quiet = Server::start(&mut chapter(1));
    get(quiet.address(), "/", "");
    let (_, log) = quiet.stop(Signal::TERM);
    assert!(!log.contains("/nowhere"), "{log}");

    let talkative = Server::start(chapter(1).env("RUST_LOG", "debug"));
    get(talkative.address(), "/nowhere", "");
    let (_, log) = talkative.stop(Signal::TERM);
    assert!(log.contains("/nowhere"), "{log}");
}

#[test]
fn no_log_however_talkative_has_a_session_id() {
    for number in [2, 3, 4, 5, 6, 8, 9, 10, 11, 12] {
        let folder = folder();
        let server = Server::start(chapter_in(&folder, number).env("RUST_LOG", "trace"));
        let at = server.address();
        let answer = match number {
            2 => post(at, "/car", "", &[("my_car", "mini")]),
            3 => post(at, "/flagged", "", &[]),
            4 => get(at, "/", ""),
            5 => get(at, "/counter", ""),
            6 => post(at, "/bookmark", "", &[]),
            8 => post(at, "/preferences", "", &[("per_page", "20")]),
            10 | 12 => get(at, "/", ""),
            11 => post(at, "/sign-in", "", &[("reader", "Ada")]),
            _ => get(at, "/exact", ""),
        };
        let cookie = answer.cookie.expect("a session cookie");
        let (_, id) = cookie.split_once('=').expect("name=value");
        let again = match number {
            5 => "/counter/check",
            9 => "/exact",
            _ => "/",
        };
        assert!(get(at, again, &cookie).status < 400);

        let (_, log) = server.stop(Signal::TERM);
        assert!(log.contains("TRACE"), "the log is talkative");
        assert!(!log.contains(id), "chapter {number} logs the id");
    }
}

#[test]
fn chapter_4_remembers_after_it_was_killed() {
    let folder = folder();
    let server = Server::start(&mut chapter_in(&folder, 4));
    let cookie = get(server.address(), "/", "").cookie.expect("a session cookie");
    let second = get(server.address(), "/", &cookie).page;
    assert!(second.contains("this page 2 times"), "{second}");
    server.stop(Signal::KILL);

    let server = Server::start(&mut chapter_in(&folder, 4));
    let third = get(server.address(), "/", &cookie).page;
    assert!(third.contains("this page 3 times"), "{third}");
}

#[test]
fn two_chapter_4_on_one_fresh_file_both_start_and_share_the_count() {
    let folder = folder();
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| Server::start(&mut chapter_in(&folder, 4)));
        let other = scope.spawn(|| Server::start(&mut chapter_in(&folder, 4)));
        (one.join().expect("one starts"), other.join().expect("the other starts"))
    });
    let cookie = get(one.address(), "/", "").cookie.expect("a session cookie");
    let second = get(other.address(), "/", &cookie).page;
    assert!(second.contains("this page 2 times"), "{second}");
}

#[test]
fn a_database_that_cannot_be_opened_is_one_line_with_the_remedy_and_no_number() {
    let folder = folder();
    let garbage = folder.path().join("garbage.sqlite");
    std::fs::write(&garbage, "This is no database, but it is long enough to look.".repeat(50))
        .expect("a file");
    // A folder stands where SQLite needs a file beside this one.
    let blocked = folder.path().join("blocked.sqlite");
    std::fs::create_dir(folder.path().join("blocked.sqlite-wal")).expect("a folder");
    let nowhere = Path::new("no/such/folder/library.sqlite");
    for number in [4, 6, 7, 8, 9] {
        for database in [&garbage, &blocked, nowhere, folder.path()] {
            let output = run(chapter_in(&folder, number).arg("--database").arg(database));
            assert_eq!(output.status.code(), Some(1), "chapter {number}");
            let line = error_line(&output);
            let name = database.display().to_string();
            assert!(line.contains(&name) && !line.contains("(code"), "chapter {number}: {line}");
            let remedies = ["hoose another", "Move it away", "heck that it is a file", "Name one"];
            let says_what_to_do = remedies.iter().any(|remedy| line.contains(remedy));
            assert!(says_what_to_do, "chapter {number}: {line}");
        }
    }
}
