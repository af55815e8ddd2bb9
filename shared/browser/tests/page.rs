//! A page: as text, as HTML, and by selector.

use axum::{Router, response::Html, routing::get};
use browser::{Browser, Page};

async fn page(html: &'static str) -> Page {
    let app = Router::new().route("/", get(async move || Html(html)));
    Browser::open(app).get("/").await.clone()
}

/// The text of a page with this inside its `<main>`.
async fn text(main: &'static str) -> String {
    page(format!("<!doctype html><body><nav>Menu</nav><main>{main}</main></body>").leak())
        .await
        .text()
}

#[tokio::test]
async fn only_main_is_drawn_and_without_one_the_body() {
    assert_eq!(text("Hello").await, "Hello");
    assert_eq!(page("<title>T</title><p>Hello</p>").await.text(), "Hello");
}

#[tokio::test]
async fn headings_paragraphs_and_lists_stand_apart() {
    let seen = text(
        "<h1>Local <em>Library</em></h1>
         <p>Welcome to
            <a href='/'>the library</a>!</p>
         <ul>
           <li><strong>Books:</strong> 27</li>
           <li>Authors
             <ul><li>Austen</li><li>Eliot</li></ul>
           </li>
           <li></li>
           <li><p>12 copies</p></li>
         </ul>
         <p>one<br>two</p>
         <div>near</div><div>by</div>
         <hr>
         <dl><dt>Status</dt><dd>on loan</dd></dl>",
    )
    .await;
    assert_eq!(
        seen,
        "\
Local Library

Welcome to the library!

- Books: 27
- Authors
  - Austen
  - Eliot
-
- 12 copies

one
two

near
by

---

Status
  on loan"
    );
}

#[tokio::test]
async fn a_table_is_drawn_row_by_row() {
    let seen = text(
        "<table><caption>Books</caption>
         <thead><tr><th>Title</th><th>Author</th></tr></thead>
         <tbody><tr><td><p>Emma</p></td><td></td><td>a<br>b</td></tr></tbody></table>",
    )
    .await;
    assert_eq!(seen, "Books\nTitle | Author\nEmma |  | a b");
}

#[tokio::test]
async fn preformatted_text_keeps_its_lines() {
    assert_eq!(
        text("<p>Data:</p><pre>\n{\n  \"my_car\":  \"mini\"\n}\n</pre><p>End</p>").await,
        "Data:\n\n{\n  \"my_car\":  \"mini\"\n}\n\nEnd"
    );
}

#[tokio::test]
async fn forms_show_what_a_visitor_could_touch() {
    let seen = text(
        "<form>
           <input type='hidden' name='token' value='x'>
           <label>My car: <input name='my_car' value='mini'></label>
           <input name='empty'> <input type='password' value='abc'>
           <button>Set</button> <button disabled><b>Drop</b></button>
           <input type='submit' value='Go'> <input type='submit'>
         </form>
         <form>
           <label><input type='checkbox' checked> all</label>
           <label><input type='checkbox' disabled> none</label>
           <input type='radio' checked> a <input type='radio'> b
           <select><option>10</option><option selected>20</option></select>
           <select><option>first</option><option>second</option></select>
           <textarea>Dear  all</textarea>
         </form>",
    )
    .await;
    assert_eq!(
        seen,
        "\
My car: [mini] [____] [***] [ Set ] [ Drop ] (disabled) [ Go ] [ Submit ]

[x] all [ ] (disabled) none (x) a ( ) b [20] [first] [Dear  all]"
    );
}

#[tokio::test]
async fn what_is_hidden_stays_hidden() {
    let seen = text(
        "<p hidden>a</p><script>b</script><style>c</style><template>d</template>
         <noscript>e</noscript><!-- f -->
         <details><summary>More</summary>g</details>
         <details open><summary>Open</summary>shown</details>",
    )
    .await;
    assert_eq!(seen, "More\n\nOpen\nshown");
}

#[tokio::test]
async fn html_is_the_source_of_main_at_the_left_margin() {
    let page = page(
        "<html><body>
    <main class=\"wide\">

      <p>&lt;b&gt; is &#39;escaped&#39;</p>   
        <i>in</i>

      <mainly></mainly>
    </main>
</body></html>",
    )
    .await;
    assert_eq!(
        page.html(),
        "<p>&lt;b&gt; is &#39;escaped&#39;</p>\n  <i>in</i>\n<mainly></mainly>"
    );
}

#[tokio::test]
async fn html_without_a_main_is_the_body_or_all_of_it() {
    assert_eq!(page("<body>\n  <p>Hi</p>\n</body>").await.html(), "<p>Hi</p>");
    let parts = page(" <p>Hi</p>\n\n    <p>Ho</p>\n      <i>ho</i>").await;
    assert_eq!(parts.html(), "<p>Hi</p>\n<p>Ho</p>\n  <i>ho</i>");
}

#[tokio::test]
async fn elements_are_found_by_selector_on_the_whole_page() {
    let page = page(
        "<nav><a href='/one'>One</a> <a href='/two'>Two <b>2</b></a></nav>
         <main><input name='car' value='mini'></main>",
    )
    .await;

    assert!(page.has("nav a[href='/one']"));
    assert!(!page.has("main a"));
    assert_eq!(page.texts("nav a"), ["One", "Two 2"]);
    assert_eq!(page.attributes("input", "value"), ["mini"]);
}

#[tokio::test]
#[should_panic(expected = "is not a CSS selector")]
async fn a_selector_that_is_none_is_said_to_be_none() {
    page("").await.has("a[");
}

#[tokio::test]
async fn headers_are_found_in_any_case() {
    let page = page("<p>Hi</p>").await;
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("x-none"), None);
    assert!(page.set_cookies().is_empty());
}
