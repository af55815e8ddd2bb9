//! Sessions in the cookie itself, encrypted: a second way to find a session.
//!
//! The rest of the framework does not notice. Each request gets a store in memory of its own, which
//! holds the one session that its cookie brought; the commit works on that as on any store, and the
//! record that it has stored goes into the cookie again.

use std::{fmt, str::FromStr, sync::Arc};

use ::cookie::{Cookie, CookieJar, Key};
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};

use super::{MemoryStore, Store};
use crate::{
    Builder, Misconfigured, SessionLayer,
    config::{Config, LARGEST_COOKIE},
    cookie::CookieContent,
};

/// What encryption adds, in bytes: a nonce and a tag (NIST SP 800-38D).
const NONCE_AND_TAG: usize = 12 + 16;

/// A record begins with its id, in characters, and its expiry date, in digits. Both have the same
/// length in every record, so that the room for the data is the same as well.
const ID: usize = 22;
const EXPIRY_DATE: usize = 13;

/// Kept for a chosen expiry, which does not count towards the session's size.
const CHOSEN_EXPIRY: usize = 80;

/// The largest session, in bytes of its JSON, that a cookie of this name has room for.
fn room(name: &str) -> usize {
    // Base64 makes four characters of three bytes.
    let encrypted = LARGEST_COOKIE.saturating_sub(name.len()) / 4 * 3;
    encrypted.saturating_sub(NONCE_AND_TAG + ID + EXPIRY_DATE + CHOSEN_EXPIRY)
}

/// # In the cookie itself
///
/// With the cargo feature `encrypted-cookie`.
impl SessionLayer {
    /// A layer without a store: the session itself travels in the cookie, encrypted, so that no
    /// browser can read or change it. Every server that has the keys can decrypt it.
    ///
    /// The cookie holds what a store would: id, data and expiry date, encrypted with AES-256-GCM
    /// together with the cookie's name. A cookie that none of the keys decrypts is passed over: it
    /// may be another program's.
    ///
    /// ```
    /// use sessions::{EncryptionKeys, SessionLayer};
    ///
    /// // Sessions end with this process. A site that is to remember more reads its keys.
    /// let layer = SessionLayer::encrypted_cookie(EncryptionKeys::generate());
    /// ```
    ///
    /// # What it cannot promise
    ///
    /// The visitor's browser has the only copy, and may send an older one. So keep nothing here
    /// that must not come back: no balance, no voucher that is good once, no second factor that
    /// was passed.
    ///
    /// | | promise | in an encrypted cookie |
    /// |---|---|---|
    /// | 1 | what was ended stays ended | no: `flush` removes the cookie from this browser; a copy of it stays good, and a request that was still running sets it again |
    /// | 2 | no adopted id | yes |
    /// | 3 | a new id after a flush | yes |
    /// | 4 | cycling keeps the data | yes; a copy under the old id stays good |
    /// | 5 | no way back after a cycle | no: a slow response that saves sets the old id again |
    /// | 6 | a chosen expiry lasts | yes, and the server checks it, whatever the browser does |
    /// | 7 | `Vary: Cookie` | yes |
    /// | 8 | reading writes nothing | yes: the cookie is not even encrypted again |
    /// | 9 | a 5xx saves nothing | yes, what `update` did included; after a `flush` the cookie is removed nevertheless |
    /// | 10 | what cannot be read is an empty session | yes; what no key opens is logged at the level debug, since anybody can send it |
    /// | 11 | a removal that removes | yes |
    /// | 12 | a store out of reach | there is none |
    /// | 13 | two requests at once lose nothing | no: the last `Set-Cookie` wins, and `update` is exact within one request only |
    /// | 14 | clearing | nothing is stored that would have to be cleared |
    /// | 15 | several cookies | the first that a key decrypts counts; others are left alone |
    /// | 18 | after the response | `insert`, `update`, `save` and `flush` are [`Error::ResponseSent`](crate::Error::ResponseSent) |
    /// | 19 | moved is not ended | no: each cookie is a session of its own |
    /// | 20 | never before its time | yes |
    ///
    /// A copy is good until its expiry date, and each save with it moves that on. To put an end to
    /// that, let the session end at a moment: [`Expiry::AtDateTime`](crate::Expiry::AtDateTime)
    /// travels with it. To sign everybody out, take new keys and leave out the old ones.
    ///
    /// # Its size
    ///
    /// A browser drops a cookie whose name and value take more than 4096 bytes, without a word. So
    /// the size limit is what fits: under the name `sessionid` 2920 bytes of JSON. More is
    /// [`Error::TooLarge`](crate::Error::TooLarge), and the cookie stays as it was. All of it travels with each request.
    ///
    /// Django: `SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"`, which signs
    /// and does not encrypt.
    pub fn encrypted_cookie(keys: EncryptionKeys) -> Self {
        SessionLayer::encrypted_cookie_builder(keys).build().expect("the default settings can work")
    }

    /// A layer with [encrypted cookies](SessionLayer::encrypted_cookie) and settings of your own.
    ///
    /// ```
    /// use sessions::{EncryptionKeys, SessionLayer};
    ///
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::encrypted_cookie_builder(EncryptionKeys::generate())
    ///     .cookie_name("__Host-sessionid")
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn encrypted_cookie_builder(keys: EncryptionKeys) -> Builder<EncryptionKeys> {
        Builder::new(keys)
    }
}

/// # In the cookie itself
///
/// With the cargo feature `encrypted-cookie`.
impl Builder<EncryptionKeys> {
    /// The layer with these settings.
    ///
    /// ```
    /// # use sessions::{EncryptionKeys, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::encrypted_cookie_builder(EncryptionKeys::generate()).build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] as for every layer, and for a size limit beyond what fits into the cookie.
    pub fn build(mut self) -> Result<SessionLayer, Misconfigured> {
        let room = room(&self.config.name);
        let limit = *self.size_limit.get_or_insert(room);
        if limit > room {
            return Err(Misconfigured(format!(
                "a size limit of {limit} bytes is more than fits into the cookie {}: choose {room} or less",
                self.config.name
            )));
        }
        let (keys, config) = self.checked()?;
        Ok(SessionLayer::with_config(EncryptedCookie::new(keys, &config), config))
    }
}

/// The keys that encrypt sessions in their cookies, the newest first: it encrypts, and all of them
/// decrypt.
///
/// To change keys, put a new one in front, and take the old one away when the sessions that it has
/// encrypted are over: after [`cookie_age`](Builder::cookie_age), two weeks by default. A session
/// moves to the newest key when it is next saved. One key is good for 2^32 saves (NIST SP 800-38D
/// section 8.3): at a hundred a second, for a year.
///
/// A key is 64 hex digits, as `openssl rand -hex 32` prints them. Several are separated by commas.
///
/// ```
/// use sessions::{EncryptionKeys, SessionLayer};
///
/// # fn main() -> Result<(), sessions::Misconfigured> {
/// # let text = format!("{},{}", "00ff".repeat(16), "a1b2".repeat(16));
/// // For example from std::env::var("SESSION_KEYS"):
/// let keys: EncryptionKeys = text.parse()?;
/// let layer = SessionLayer::encrypted_cookie(keys);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// When parsed: [`Misconfigured`], which says which key is wrong and how, and shows none.
#[derive(Clone)]
pub struct EncryptionKeys(Arc<[Key]>);

impl EncryptionKeys {
    /// One new random key, for trying things out: the sessions that it encrypts end with this
    /// process, and no other server decrypts them.
    ///
    /// ```
    /// let keys = sessions::EncryptionKeys::generate();
    /// ```
    pub fn generate() -> Self {
        EncryptionKeys([Key::generate()].into())
    }
}

/// No key: it has no place in a log.
impl fmt::Debug for EncryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKeys").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

impl FromStr for EncryptionKeys {
    type Err = Misconfigured;

    fn from_str(text: &str) -> Result<Self, Misconfigured> {
        let keys = text.split(',').zip(1..).map(|(text, number)| {
            key(text.trim()).map_err(|what| {
                Misconfigured(format!(
                    "encryption key {number} {what}; a key is 64 hex digits, as `openssl rand -hex \
                     32` prints them"
                ))
            })
        });
        Ok(EncryptionKeys(keys.collect::<Result<_, _>>()?))
    }
}

fn key(text: &str) -> Result<Key, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("holds other characters than hex digits".to_owned());
    }
    if text.len() != 64 {
        return Err(format!("has {} hex digits", text.len()));
    }
    let bytes = hex::decode(text).expect("these are hex digits");
    Ok(Key::derive_from(&bytes))
}

/// The session in its cookie.
#[derive(Debug)]
struct EncryptedCookie {
    keys: EncryptionKeys,
    name: String,
}

impl EncryptedCookie {
    fn new(keys: EncryptionKeys, config: &Config) -> Self {
        EncryptedCookie { keys, name: config.name.clone() }
    }

    fn encrypt(&self, record: &Record) -> String {
        let data = serde_json::to_string(&record.data).expect("JSON values are JSON");
        let expiry_date = record.expiry_date.unix_timestamp();
        let text = format!("{}{expiry_date:0EXPIRY_DATE$}{data}", record.id);
        let mut jar = CookieJar::new();
        // The cookie's name is encrypted with it: under another name the value does not open.
        jar.private_mut(&self.keys.0[0]).add(Cookie::new(self.name.clone(), text));
        jar.get(&self.name).expect("it was added").value().to_owned()
    }

    fn decrypt(&self, value: &str) -> Option<Record> {
        let encrypted = Cookie::new(self.name.clone(), value.to_owned());
        let jar = CookieJar::new();
        let open = |key| jar.private(key).decrypt(encrypted.clone());
        let Some(opened) = self.keys.0.iter().find_map(open) else {
            // No more than debug, since any visitor can send such a cookie as often as they like.
            tracing::debug!("no key decrypts this cookie; it is ignored");
            return None;
        };
        let record = read(opened.value());
        if record.is_none() {
            tracing::warn!("an encrypted session cannot be read; it counts as empty");
        }
        record
    }
}

fn read(text: &str) -> Option<Record> {
    let (id, rest) = text.split_at_checked(ID)?;
    let (expiry_date, data) = rest.split_at_checked(EXPIRY_DATE)?;
    Some(Record {
        id: id.parse().ok()?,
        data: serde_json::from_str(data).ok()?,
        expiry_date: OffsetDateTime::from_unix_timestamp(expiry_date.parse().ok()?).ok()?,
    })
}

impl CookieContent for EncryptedCookie {
    fn open(&self, values: &[String]) -> (Arc<dyn Store>, Vec<Id>) {
        // The first that opens counts. What does not open may be another program's.
        match values.iter().find_map(|value| self.decrypt(value)) {
            Some(record) => {
                let id = record.id;
                (Arc::new(MemoryStore::holding(record)), vec![id])
            }
            None => (Arc::new(MemoryStore::default()), Vec::new()),
        }
    }

    fn value(&self, record: &Record) -> String {
        self.encrypt(record)
    }

    fn outlives_the_response(&self) -> bool {
        false
    }
}
