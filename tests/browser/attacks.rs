//! Chapter 11's attacks, from one site to another, in a browser that decides for itself which
//! cookies go along.

use std::time::Duration;

use axum::{
    Router,
    http::{
        HeaderMap,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, SET_COOKIE},
    },
    response::Html,
    routing::{any, get},
};
use futures_util::future::join_all;
use insta::assert_snapshot;
use tokio::net::TcpListener;

use crate::{chromium::Chromium, site::Site, window::Window};

/// Chapter 11's two servers.
pub struct Stage {
    library: Site,
    port: String,
    others_port: String,
}

impl Stage {
    /// Starts them with these options.
    pub fn open(options: &[&str]) -> Stage {
        let mut library = Site::open_with(11, options);
        let port = port_of(library.address());
        let line = library.wait_for("is another site");
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        let others_port = port_of(address.expect("its address"));
        Stage { library, port, others_port }
    }

    /// The library's program.
    pub fn library(&self) -> &Site {
        &self.library
    }

    /// A page of the other site, for example `/form`.
    pub fn another_site(&self, page: &str) -> String {
        format!("http://localhost:{}{page}", self.others_port)
    }

    /// The addresses at which Ada visits the library, and then the attacker.
    fn play(&self, attack: Attack) -> (String, String) {
        let host = if attack.is_from_a_subdomain() { "library.localhost" } else { "127.0.0.1" };
        let others =
            if attack.is_from_a_subdomain() { "evil.library.localhost" } else { "localhost" };
        (format!("http://{host}:{}/", self.port), format!("http://{others}:{}", self.others_port))
    }
}

fn port_of(address: &str) -> String {
    address.rsplit(':').next().expect("a port").to_owned()
}

/// What a page of another origin does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    Form,
    Fetch,
    Link,
    Image,
    SignIn,
    FormOfASubdomain,
    FetchOfASubdomain,
}

const ATTACKS: [(Attack, &str); 7] = [
    (Attack::Form, "a form (POST)"),
    (Attack::Fetch, "a script's fetch (POST)"),
    (Attack::Link, "a link (GET)"),
    (Attack::Image, "an image (GET)"),
    (Attack::SignIn, "a form that signs in"),
    (Attack::FormOfASubdomain, "a subdomain's form"),
    (Attack::FetchOfASubdomain, "a subdomain's fetch"),
];

impl Attack {
    fn is_from_a_subdomain(self) -> bool {
        matches!(self, Attack::FormOfASubdomain | Attack::FetchOfASubdomain)
    }

    fn is_a_get(self) -> bool {
        matches!(self, Attack::Link | Attack::Image)
    }

    /// Opens the attacker's page and waits until it has done what it does.
    async fn run(self, window: &Window, attacker: &str) {
        let open = async |page| window.visit_elsewhere(&format!("{attacker}{page}")).await;
        match self {
            // Its script submits the form: the next page is the library's.
            Attack::Form | Attack::FormOfASubdomain => {
                open("/form").await;
                window.wait_for(".brand").await;
            }
            Attack::SignIn => {
                open("/sign-in").await;
                window.wait_for(".brand").await;
            }
            Attack::Fetch | Attack::FetchOfASubdomain => {
                open("/fetch").await;
                window.wait_for("p.sent").await;
            }
            Attack::Link => {
                open("/link").await;
                window.follow("Show me the book").await;
            }
            // A page has loaded when its images have, or have failed to.
            Attack::Image => open("/image").await,
        }
    }
}

const ADAS_NEWS: &str = "You signed this browser in as Ada.";

const ADAS_CHANGE: &str = "You changed your reminder address to ada@home.example.";

/// A browser with one window, from which Ada visits both sites.
struct Ada {
    browser: Chromium,
    window: Window,
}

impl Ada {
    async fn open(browser: Chromium, stage: &Stage) -> Ada {
        let window = browser.window(stage.library()).await;
        Ada { browser, window }
    }

    /// Signs in, is attacked, and looks at the library's page: has another page changed something?
    async fn is_hit(&self, stage: &Stage, attack: Attack) -> bool {
        let (library, attacker) = stage.play(attack);
        sign_in(&self.window, &library).await;
        attack.run(&self.window, &attacker).await;
        self.finds_a_change(&library, attack, ADAS_NEWS).await
    }

    /// Signs in at all of the library's addresses, and lets so much time pass.
    async fn sign_in_and_wait(&mut self, stage: &Stage, time: Duration) {
        for attack in [Attack::Form, Attack::FormOfASubdomain] {
            self.window.visit_elsewhere(&stage.play(attack).0).await;
            self.window.press("Sign in as Ada").await;
        }
        self.browser.restart_later(time).await;
        self.window = self.browser.window(stage.library()).await;
    }

    /// As [`is_hit`](Ada::is_hit), without signing in: the cookie stays as old as it is.
    async fn is_hit_later(&self, stage: &Stage, attack: Attack) -> bool {
        let (library, attacker) = stage.play(attack);
        self.window.visit_elsewhere(&library).await;
        self.window.fill("address", "ada@home.example").await;
        self.window.press("Save").await;
        attack.run(&self.window, &attacker).await;
        self.finds_a_change(&library, attack, ADAS_CHANGE).await
    }

    async fn finds_a_change(&self, library: &str, attack: Attack, expected: &str) -> bool {
        self.window.visit_elsewhere(library).await;
        let news = self.window.lead().await;
        let is_hit = news.starts_with("Another");
        assert!(is_hit || news == expected, "{attack:?}: {news}");
        is_hit
    }
}

/// Signs in with a new session and a new cookie.
async fn sign_in(window: &Window, library: &str) {
    window.forget_cookies().await;
    window.visit_elsewhere(library).await;
    window.press("Sign in as Ada").await;
    assert_eq!(window.lead().await, ADAS_NEWS);
}

pub async fn what_each_same_site_keeps_away() {
    let columns = [
        ("None", "none"),
        ("not set", "unset"),
        ("after 2 minutes", "unset"),
        ("Lax", "lax"),
        ("Strict", "strict"),
    ];
    let column = async |(title, same_site): (&str, &str)| {
        let stage = Stage::open(&["--same-site", same_site]);
        let is_later = title == "after 2 minutes";
        let browser = match is_later {
            true => Chromium::with_a_profile().await,
            false => Chromium::start().await,
        };
        let mut ada = Ada::open(browser, &stage).await;
        if is_later {
            ada.sign_in_and_wait(&stage, Duration::from_secs(121)).await;
        }
        let mut cells = vec![title.to_owned()];
        for (attack, _) in ATTACKS {
            let is_hit = match is_later {
                true => ada.is_hit_later(&stage, attack).await,
                false => ada.is_hit(&stage, attack).await,
            };
            cells.push(if is_hit { "changes it" } else { "-" }.to_owned());
        }
        cells
    };
    let mut table = vec![vec![String::new()]];
    table.extend(ATTACKS.map(|(_, name)| vec![name.to_owned()]));
    for cells in join_all(columns.map(column)).await {
        for (row, cell) in table.iter_mut().zip(cells) {
            row.push(cell);
        }
    }
    assert_snapshot!("same_site_in_chromium", drawn(&table));
}

pub async fn blocking_third_party_cookies_keeps_images_and_scripts_away() {
    let stage = Stage::open(&["--same-site", "none"]);
    let ada = Ada::open(Chromium::blocking_third_party_cookies().await, &stage).await;
    for (attack, _) in ATTACKS {
        let is_blocked = matches!(attack, Attack::Image | Attack::Fetch);
        let is_hit = ada.is_hit(&stage, attack).await;
        assert_eq!(is_hit, !is_blocked, "{attack:?}");
    }
}

pub async fn the_origin_check_and_the_token_refuse_what_is_no_page_of_ours() {
    for defence in ["origin", "token"] {
        let stage = Stage::open(&["--same-site", "none", "--defence", defence]);
        let ada = Ada::open(Chromium::start().await, &stage).await;
        for (attack, _) in ATTACKS {
            // A GET passes, since it has to change nothing.
            let is_hit = ada.is_hit(&stage, attack).await;
            assert_eq!(is_hit, attack.is_a_get(), "{defence}: {attack:?}");
        }

        let window = &ada.window;
        sign_in(window, stage.library().address()).await;
        window.fill("address", "ada@home.example").await;
        window.press("Save").await;
        assert_eq!(window.lead().await, ADAS_CHANGE, "{defence}");
        window.press("Sign out").await;
        assert!(window.lead().await.starts_with("Sign in"), "{defence}");
    }
}

pub async fn without_scripts_a_button_is_enough() {
    let stage = Stage::open(&["--same-site", "none"]);
    let visitor = Chromium::start().await;
    let window = visitor.window(stage.library()).await;
    sign_in(&window, stage.library().address()).await;

    window.forbid_scripts().await;
    window.visit_elsewhere(&stage.another_site("/form")).await;
    assert_eq!(window.heading().await, "You have won a book", "no script has sent the form");
    window.press("Show me the book").await;

    let changed = "Another site changed your reminder address to mallory@evil.example.";
    assert_eq!(window.lead().await, changed);
}

pub async fn a_cookie_for_other_sites_needs_secure_and_http_to_this_machine_is_enough() {
    let stage = Stage::open(&["--same-site", "none"]);
    let visitor = Chromium::start().await;
    let window = visitor.window(stage.library()).await;
    for host in ["127.0.0.1", "localhost", "library.localhost"] {
        let library = format!("http://{host}:{}/", stage.port);
        sign_in(&window, &library).await;
        let cookie = window.cookie("chapter11").await.expect("it is kept");
        assert!(cookie.secure, "{host}");
        assert_eq!(cookie.same_site.as_deref(), Some("None"), "{host}");

        let port = mirror().await;
        window.visit_elsewhere(&format!("http://{host}:{port}/set")).await;
        assert!(window.cookie("secure").await.is_some(), "{host}");
        assert!(window.cookie("plain").await.is_none(), "{host}");
    }
}

pub async fn what_is_same_origin_same_site_and_cross_site() {
    let (port, others_port) = (mirror().await, mirror().await);
    let stage = Stage::open(&[]);
    let visitor = Chromium::start().await;
    let window = visitor.window(stage.library()).await;
    let here = |host: &str| format!("http://{host}:{port}");
    let elsewhere = |host: &str| format!("http://{host}:{others_port}");
    let named = |said: &str| {
        said.replace(&port.to_string(), "3000").replace(&others_port.to_string(), "3001")
    };

    let heads = ["a page at", "sends a form to", "Sec-Fetch-Site", "Origin"];
    let mut table = vec![heads.map(String::from).to_vec()];
    for (page, target) in [
        (here("127.0.0.1"), here("127.0.0.1")),
        (elsewhere("127.0.0.1"), here("127.0.0.1")),
        (elsewhere("localhost"), here("127.0.0.1")),
        (elsewhere("evil.library.localhost"), here("library.localhost")),
        (elsewhere("www.library.localhost"), here("api.library.localhost")),
        (elsewhere("localhost"), here("library.localhost")),
        (elsewhere("evil.localhost"), here("localhost")),
        (here("127.0.0.1") + "/sandboxed", here("127.0.0.1")),
        (here("127.0.0.1") + "/no-referrer", here("127.0.0.1")),
    ] {
        window.visit_elsewhere(&page).await;
        window.run(&SEND_FORM.replace("TARGET", &target)).await;
        window.wait_for("pre.post").await;
        let said = window.text("pre").await;
        let (site, origin) = said.split_once(' ').expect("two words");
        let row = [page.as_str(), target.as_str(), site, origin];
        table.push(row.map(named).to_vec());
    }
    window.visit_elsewhere(&here("127.0.0.1")).await;
    let said = window.text("pre").await;
    let (site, origin) = said.split_once(' ').expect("two words");
    let typed = ["(the address bar)", &here("127.0.0.1"), site, origin];
    table.push(typed.map(named).to_vec());
    assert_snapshot!("sites_in_chromium", drawn(&table));
}

const SEND_FORM: &str = "
    const form = document.body.appendChild(document.createElement('form'));
    form.method = 'post';
    form.action = 'TARGET';
    form.submit();
";

/// Starts a server that says what it is told, and returns its port.
async fn mirror() -> u16 {
    async fn say(method: axum::http::Method, headers: HeaderMap) -> Html<String> {
        let said = |name| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or("-");
        let class = method.as_str().to_lowercase();
        Html(format!("<pre class={class}>{} {}</pre>", said("sec-fetch-site"), said("origin")))
    }
    let sandbox = [(CONTENT_SECURITY_POLICY, "sandbox allow-forms allow-scripts")];
    let cookies =
        [(SET_COOKIE, "secure=1; SameSite=None; Secure"), (SET_COOKIE, "plain=1; SameSite=None")];
    let app = Router::new()
        .route("/sandboxed", get(async move || (sandbox, Html("<p>A page in a sandbox</p>"))))
        .route("/no-referrer", get(async || ([(REFERRER_POLICY, "no-referrer")], "No Referer")))
        .route("/set", get(async move || (axum::response::AppendHeaders(cookies), "Set")))
        .fallback(any(say));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(axum::serve(listener, app).into_future());
    port
}

/// The rows with columns of one width each.
fn drawn(table: &[Vec<String>]) -> String {
    let columns = table[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|at| table.iter().map(|row| row[at].chars().count()).max().unwrap_or_default())
        .collect();
    let rows = table.iter().map(|row| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("   ").trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}
