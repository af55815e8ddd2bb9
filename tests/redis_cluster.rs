//! A Redis Cluster of three servers keeps what one Redis keeps, for two web servers at once, and goes
//! on if one of the three dies.
//!
//! It starts them and their replicas on free ports, so it needs redis-server and redis-cli. If they
//! are missing, it is skipped, and a line says so; with the variable `TEST_LIVE`, that is a failure.

use std::{
    collections::BTreeSet,
    env,
    net::TcpListener,
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
};

use axum::{Router, http::StatusCode, routing::get};
use browser::Browser;
use libtest_mimic::{Arguments, Trial};
use redis::Client;
use sessions::{
    Error, RedisStore, Session, SessionLayer,
    testing::{self, Expired},
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::Barrier, task::JoinSet};

fn main() -> ExitCode {
    let version = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let is_skipped = !(version("redis-server") && version("redis-cli"));
    if is_skipped {
        let words = "redis-server or redis-cli is missing";
        assert!(env::var_os("TEST_LIVE").is_none(), "TEST_LIVE is set, and {words}");
        eprintln!("{words}: the test of a Redis Cluster is skipped");
    }
    let test = || {
        let cluster = Cluster::start();
        Runtime::new().expect("a runtime").block_on(async {
            it_meets_every_requirement_of_a_store(&cluster).await;
            sessions_lie_on_all_servers_and_keep_their_data_under_a_new_id(&cluster).await;
            two_web_servers_count_exactly(&cluster).await;
            one_server_of_a_cluster_by_itself_is_refused(&cluster).await;
            when_a_server_dies_its_replica_takes_over_and_no_visit_is_lost(cluster).await;
        });
        Ok(())
    };
    let trial = Trial::test("a_cluster_of_three_keeps_sessions", test);
    let trials = vec![trial.with_ignored_flag(is_skipped)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn it_meets_every_requirement_of_a_store(cluster: &Cluster) {
    testing::check(async || cluster.open().await, Expired::GoByThemselves).await;
}

async fn sessions_lie_on_all_servers_and_keep_their_data_under_a_new_id(cluster: &Cluster) {
    let app = app(cluster.open().await);
    for _ in 0..20 {
        let mut visitor = Browser::open(app.clone());
        visitor.get("/").await;
        let before = visitor.cookie("sessionid");
        // The new record may be on another server than the old one.
        assert_eq!(visitor.get("/cycle").await.body(), "cycled");
        assert_ne!(visitor.cookie("sessionid"), before);
        assert_eq!(visitor.get("/").await.body(), "2");
    }
    for port in cluster.primaries() {
        let client = Client::open(format!("redis://127.0.0.1:{port}/")).expect("a URL");
        let mut server = client.get_connection().expect("it answers");
        let keys: Vec<String> =
            redis::cmd("KEYS").arg("session:*").query(&mut server).expect("keys");
        assert!(!keys.is_empty(), "the server on port {port} has some of the sessions");
    }
}

async fn two_web_servers_count_exactly(cluster: &Cluster) {
    const AT_ONCE: usize = 8;
    let servers = [app(cluster.open().await), app(cluster.open().await)];
    let mut visitor = Browser::open(servers[0].clone());
    visitor.get("/").await;
    let id = visitor.cookie("sessionid").expect("a cookie");

    let start = Arc::new(Barrier::new(AT_ONCE));
    let mut visits = JoinSet::new();
    for number in 0..AT_ONCE {
        let (start, id) = (start.clone(), id.clone());
        let mut tab = Browser::open(servers[number % 2].clone());
        visits.spawn(async move {
            tab.get("/").await;
            tab.edit_cookie("sessionid", &id);
            start.wait().await;
            tab.get("/").await.body().parse::<usize>().expect("a number")
        });
    }
    let shown = BTreeSet::from_iter(visits.join_all().await);
    assert_eq!(shown, BTreeSet::from_iter(2..=1 + AT_ONCE));
}

async fn one_server_of_a_cluster_by_itself_is_refused(cluster: &Cluster) {
    let url = format!("redis://127.0.0.1:{}/", cluster.ports[0]);
    let refused = RedisStore::open(&url).await.expect_err("it has a third of the keys");
    let refused = refused.to_string();
    assert!(refused.contains("redis-cluster://HOST:PORT,HOST:PORT"), "{refused}");
}

async fn when_a_server_dies_its_replica_takes_over_and_no_visit_is_lost(mut cluster: Cluster) {
    let app = app(cluster.open().await);
    let mut visitors: Vec<_> = (0..20).map(|_| Browser::open(app.clone())).collect();
    for visitor in &mut visitors {
        assert_eq!(visitor.get("/").await.body(), "1");
    }
    // Redis replicates after it has answered. What has not arrived when it dies would be lost.
    for port in cluster.primaries() {
        ask(port, &["wait", "1", "0"]);
    }
    cluster.kill(0);
    for visitor in &mut visitors {
        // Until the replica has taken over, a page says that nothing is lost.
        while visitor.get("/").await.status() == StatusCode::SERVICE_UNAVAILABLE {
            assert!(visitor.page().body().contains("Nothing is lost"));
        }
        assert_eq!(visitor.page().body(), "2");
    }
}

/// A page that counts, and one that gives the session a new id.
fn app(store: RedisStore) -> Router {
    async fn count(session: Session) -> Result<String, Error> {
        let visits = session.update("visits", |visits: &mut u64| *visits += 1).await?;
        Ok(visits.to_string())
    }
    async fn cycle(session: Session) -> &'static str {
        session.cycle_id();
        "cycled"
    }
    Router::new().route("/", get(count)).route("/cycle", get(cycle)).layer(SessionLayer::new(store))
}

/// Three servers and a replica of each, until they are dropped.
struct Cluster {
    /// First those of the three.
    ports: [u16; 6],
    servers: Vec<Child>,
    _folder: TempDir,
}

impl Cluster {
    fn start() -> Cluster {
        let folder = TempDir::new().expect("an empty folder");
        let ports = free_ports();
        let start = |port: u16| {
            Command::new("redis-server")
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
                .args(["--cluster-enabled", "yes"])
                // How many milliseconds of silence count as death.
                .args(["--cluster-node-timeout", "1000"])
                // A primary waits five seconds for more replicas before it sends its data to the first.
                .args(["--repl-diskless-sync-delay", "0"])
                .args(["--cluster-config-file", &format!("nodes-{port}.conf")])
                .arg("--dir")
                .arg(folder.path())
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server starts")
        };
        let servers = ports.map(start).into();
        let cluster = Cluster { ports, servers, _folder: folder };
        // Each question is asked until it is answered: there is no signal to wait for.
        for port in cluster.ports {
            while !ask(port, &["ping"]).contains("PONG") {}
        }
        let addresses = cluster.ports.map(|port| format!("127.0.0.1:{port}"));
        let output = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .expect("redis-cli starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        for port in cluster.ports {
            while !ask(port, &["cluster", "info"]).contains("cluster_state:ok") {}
        }
        for port in &cluster.ports[3..] {
            while !ask(*port, &["info", "replication"]).contains("master_link_status:up") {}
        }
        cluster
    }

    fn primaries(&self) -> [u16; 3] {
        [self.ports[0], self.ports[1], self.ports[2]]
    }

    fn kill(&mut self, number: usize) {
        self.servers[number].kill().expect("it runs");
        self.servers[number].wait().expect("it ends");
    }

    fn url(&self) -> String {
        let [one, two, _] = self.primaries();
        format!("redis-cluster://127.0.0.1:{one},127.0.0.1:{two}")
    }

    async fn open(&self) -> RedisStore {
        RedisStore::open(&self.url()).await.expect("the store opens")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn ask(port: u16, question: &[&str]) -> String {
    let asked = Command::new("redis-cli").args(["-p", &port.to_string()]).args(question).output();
    String::from_utf8_lossy(&asked.expect("redis-cli starts").stdout).into_owned()
}

/// A server of a cluster also listens on its port and 10000 more.
fn free_ports() -> [u16; 6] {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let both = |port: &u16| is_free(*port) && is_free(port + 10000);
    let mut found = (20000 + std::process::id() as u16 % 10000..40000).filter(both);
    [(); 6].map(|()| found.next().expect("a free port"))
}
