//! The pictures of the docs: each chapter's page, as it is under "What you see".
//!
//! Another machine has other letters, so no test compares pixels. Instead a picture says what it
//! shows, the text of the page and a fingerprint of its HTML and its style, and that is compared.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    io::Cursor,
    iter,
    path::{Path, PathBuf},
};

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Transformations};
use sha2::{Digest, Sha256};

use crate::{
    attacks::Stage,
    chromium::Chromium,
    site::Site,
    stories::{add_in_two_windows, let_pass, set_car, sign_in},
    window::Window,
};

const REMEDY: &str =
    "run `just screenshots`, that is `cargo test -p tests --test browser -- --ignored screenshots`";

/// In CSS pixels: wide enough for the lesson next to the page.
const WIDTH: u32 = 1100;

const STYLE: &[u8] = include_bytes!("../../shared/site/src/style.css");

/// What a picture's file calls the text of what it shows.
const SHOWS: &str = "Shows";

pub async fn the_docs_show_the_pages_as_they_are() {
    for picture in pictures(false).await {
        let file = picture.file();
        let shown = fs::read(&file).ok().and_then(|png| shown_by(&png));
        let shown = shown.unwrap_or_default();
        assert_eq!(shown, picture.shows, "{} is out of date: {REMEDY}", file.display());
    }
}

/// Makes the pictures.
pub async fn screenshots() {
    for picture in pictures(true).await {
        let file = picture.file();
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
        fs::write(&file, picture.into_file()).expect("the file can be written");
        println!("{}", file.display());
    }
}

/// Everything that they show, and how it looks, if the windows are in sight.
async fn pictures(in_sight: bool) -> Vec<Picture> {
    let visitor = Chromium::start().await.in_sight(in_sight);
    let mut pictures = Vec::new();

    let site = Site::open(1);
    let window = visitor.window(&site).await;
    for _ in 0..3 {
        window.visit("/").await;
    }
    pictures.push(Picture::take("01-raw-cookies", &window, WIDTH).await);
    window.edit_cookie("visits", "999999").await;
    window.visit("/").await;
    pictures.push(inspected("01-inspector", &window, "GET /").await);
    window.forget_cookies().await;

    let site = Site::open(2);
    let window = visitor.window(&site).await;
    window.visit("/").await;
    set_car(&window, "beetle").await;
    pictures.push(Picture::take("02-my-car", &window, WIDTH).await);
    window.visit("/car").await;
    pictures.push(inspected("02-inspector", &window, "GET /car").await);
    window.forget_cookies().await;

    let site = Site::open(3);
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.press("Change inside").await;
    pictures.push(Picture::take("03-nested-mutation", &window, WIDTH).await);
    window.press("Change and flag").await;
    window.press("Change inside").await;
    pictures.push(inspected("03-inspector", &window, "POST /inside").await);
    window.forget_cookies().await;

    let site = Site::open(4);
    let window = visitor.window(&site).await;
    for _ in 0..3 {
        window.visit("/").await;
    }
    pictures.push(Picture::take("04-visit-counter", &window, WIDTH).await);
    pictures.push(Picture::take("local-library", &window, 1280).await);
    pictures.push(inspected("04-inspector", &window, "GET /").await);
    look_inside(&window, "GET /").await;
    pictures.push(Picture::take("what-just-happened", &window, 1280).await);
    window.forget_cookies().await;

    let refuser = Chromium::refusing_cookies().await.in_sight(in_sight);
    let site = Site::open(5);
    let window = refuser.window(&site).await;
    window.visit("/counter").await;
    pictures.push(Picture::take("05-test-cookie", &window, WIDTH).await);
    pictures.push(inspected("05-inspector", &window, "GET /counter/check").await);

    let site = Site::open(6);
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.fill("seconds", "1800").await;
    window.press("When idle").await;
    let_pass(&site, 600).await;
    window.visit("/").await;
    // What differs from run to run would make another picture of each.
    window.run(STOPPED_CLOCK).await;
    pictures.push(Picture::take("06-expiry", &window, WIDTH).await);
    pictures.push(inspected("06-inspector", &window, "POST /expiry/idle").await);
    window.forget_cookies().await;

    let site = Site::open_with(7, &["--store", "sqlite:sessions.sqlite"]);
    let window = visitor.window(&site).await;
    for _ in 0..2 {
        window.visit("/").await;
    }
    window.run(THE_SAME_PROCESS).await;
    pictures.push(Picture::take("07-stores", &window, WIDTH).await);
    pictures.push(inspected("07-inspector", &window, "GET /").await);
    window.forget_cookies().await;

    let site = Site::open(8);
    let window = visitor.window(&site).await;
    window.visit("/books").await;
    pictures.push(Picture::take("08-preferences", &window, WIDTH).await);
    window.visit("/preferences").await;
    window.fill("per_page", "5").await;
    window.press("Save").await;
    pictures.push(inspected("08-inspector", &window, "POST /preferences").await);
    window.forget_cookies().await;

    let mut site = Site::open_with(9, &["--until-enter"]);
    let window = add_in_two_windows(&mut site, &visitor, "/usual").await;
    pictures.push(Picture::take("09-two-tabs", &window, WIDTH).await);
    pictures.push(inspected("09-inspector", &window, "POST /usual/add-slowly").await);
    window.forget_cookies().await;

    let site = Site::open(10);
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.visit("/").await;
    sign_in(&window, "ada", "no").await;
    window.run(THE_SAME_IDS).await;
    pictures.push(Picture::take("10-signing-in", &window, WIDTH).await);
    pictures.push(inspected("10-inspector", &window, "POST /sign-in").await);
    window.forget_cookies().await;

    let stage = Stage::open(&["--same-site", "none"]);
    let window = visitor.window(stage.library()).await;
    window.visit("/").await;
    window.press("Sign in as Ada").await;
    window.visit_elsewhere(&stage.another_site("/form")).await;
    window.wait_for(".brand").await;
    pictures.push(Picture::take("11-another-sites-form", &window, WIDTH).await);
    pictures.push(inspected("11-inspector", &window, "POST /reminders").await);
    window.forget_cookies().await;

    let site = Site::open(12);
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.visit("/").await;
    window.run("document.querySelector('main code').textContent = 'h8Wt…'").await;
    pictures.push(Picture::take("12-going-live", &window, WIDTH).await);
    pictures.push(inspected("12-inspector", &window, "GET /").await);

    pictures
}

/// The inspector's picture of the newest such request, without the list of requests beside it.
async fn inspected(name: &'static str, window: &Window, request: &str) -> Picture {
    look_inside(window, request).await;
    window
        .run("document.querySelector('.sidebar').remove(); document.body.style.display = 'block';")
        .await;
    Picture::take(name, window, 1100).await
}

/// Opens the newest such request in the inspector. What differs from run to run has a name.
async fn look_inside(window: &Window, request: &str) {
    // Its script would replace what is renamed below.
    window.block("*/inspector/script.js").await;
    window.visit("/inspector").await;
    let newest = format!(
        "return [...document.querySelectorAll('nav a')].find(it =>
            it.querySelector('.what').textContent.endsWith(' ' + {})).pathname",
        serde_json::Value::from(request)
    );
    let path = window.run(&newest).await;
    window.visit(path.as_str().expect("there was such a request")).await;
    // A bar would make the page narrower, its picture smaller, and the bar needless.
    window.run("document.documentElement.style.overflow = 'hidden'").await;
    window.run(THE_SAME_NAMES).await;
}

const THE_SAME_NAMES: &str = "
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        texts.currentNode.data = texts.currentNode.data
            .replace(/\\([\\w-]{4}…\\)/g, '(k3Jd…)')
            .replace(/\"device\":\"[^\"]*\"/, '\"device\":\"…\"')
            .replace(/\"[\\w-]{4}\"/, '\"k3Jd\"')
            .replace(/=[^=\\s]{4}…/, '=k3Jd…')
            .replace(/[\\d.]+ (ms|µs)/g, '1.2 ms')
            .replace(/[\\d.]+ s after/, '4.0 s after')
            .replace(/\\d\\d:\\d\\d:\\d\\d GMT/, '12:00:00 GMT')
            .replace(/(Mon|Tue|Wed|Thu|Fri|Sat|Sun),/, 'Fri,')
            .replace(/\\d\\d [A-Z][a-z]{2} \\d{4}/, '01 Jan 2027');
    }
";

/// It is noon, and 10 of 30 minutes have passed.
const STOPPED_CLOCK: &str = "
    const times = ['12:20:00', '12:30:00'];
    const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        texts.currentNode.data = texts.currentNode.data
            .replace(/\\d+ \\w+ \\d{4}, [\\d:]+ UTC/, () => `1 January 2027, ${times.shift()} UTC`);
    }
";

const THE_SAME_PROCESS: &str = "
    const process = [...document.querySelectorAll('main dd')].at(-1);
    process.textContent = process.textContent.replace(/\\d+/, '4711');
";

const THE_SAME_IDS: &str = "
    const [before, now] = document.querySelectorAll('main code');
    [before.textContent, now.textContent] = ['Zq3f…', 'h8Wt…'];
";

struct Picture {
    name: &'static str,
    /// The text of the page, and a fingerprint of how it looks.
    shows: String,
    screenshot: Option<Vec<u8>>,
}

impl Picture {
    /// Takes the whole page, however long it is, at one pixel of the picture for each of CSS.
    async fn take(name: &'static str, window: &Window, width: u32) -> Picture {
        window.prefer("light").await;
        // A page is at least as high as its window.
        window.resize(width, 1).await;
        let height = window.run("return document.documentElement.scrollHeight").await;
        let height = height.as_u64().expect("a number of pixels");
        window.resize(width, height.try_into().expect("a page, not a book")).await;

        let text = window.text("body").await;
        let html = window.run("return document.body.outerHTML").await;
        let look = Sha256::new().chain_update(html.to_string()).chain_update(STYLE).finalize();
        let look: String = look.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let shows = format!("{text}\n\nlook: {look}");
        Picture { name, shows, screenshot: window.picture().await }
    }

    fn file(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder around tests/");
        root.join("docs/pictures").join(self.name).with_extension("png")
    }

    /// The screenshot as a file of few bytes, which says what it shows.
    fn into_file(self) -> Vec<u8> {
        let screenshot = self.screenshot.expect("its window is in sight");
        let mut decoder = Decoder::new(Cursor::new(&screenshot));
        decoder.set_transformations(Transformations::ALPHA);
        let mut reader = decoder.read_info().expect("a PNG file");
        let mut pixels = vec![0; reader.output_buffer_size().expect("it fits into memory")];
        let frame = reader.next_frame(&mut pixels).expect("the picture");
        assert_eq!((frame.color_type, frame.bit_depth), (ColorType::Rgba, BitDepth::Eight));
        let (palette, indices) = few_colours(&pixels);

        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, frame.width, frame.height);
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_palette(palette);
        encoder.set_compression(Compression::High);
        encoder.set_filter(Filter::NoFilter);
        encoder.add_itxt_chunk(SHOWS.to_owned(), self.shows).expect("a text");
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&indices).expect("the pixels");
        writer.finish().expect("an end");
        file
    }
}

/// The 256 commonest colours, and for each pixel which of them is nearest.
///
/// Pages have few colours. The many others are at the edges of letters, a pixel or two of each.
fn few_colours(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
    let pixels = pixels.chunks_exact(4).map(|rgba| [rgba[0], rgba[1], rgba[2]]);
    for colour in pixels.clone() {
        *counts.entry(colour).or_default() += 1;
    }
    let mut palette: Vec<[u8; 3]> = counts.keys().copied().collect();
    palette.sort_by_key(|colour| Reverse(counts[colour]));
    palette.truncate(256);

    let distance = |one: [u8; 3], other: [u8; 3]| -> u32 {
        iter::zip(one, other).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
    };
    let nearest =
        |colour| (0..=255).zip(&palette).min_by_key(|(_, known)| distance(colour, **known));
    let indices: BTreeMap<[u8; 3], u8> = counts
        .keys()
        .map(|&colour| (colour, nearest(colour).expect("a picture has a colour").0))
        .collect();
    (palette.concat(), pixels.map(|colour| indices[&colour]).collect())
}

/// What the picture in this file says that it shows.
fn shown_by(file: &[u8]) -> Option<String> {
    let reader = Decoder::new(Cursor::new(file)).read_info().ok()?;
    let texts = &reader.info().utf8_text;
    texts.iter().find(|text| text.keyword == SHOWS)?.get_text().ok()
}
