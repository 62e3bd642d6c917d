//! A real Chromium, by WebDriver (W3C WebDriver, https://www.w3.org/TR/webdriver2/): what a user does is done
//! by input events of the browser itself, and not by script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// The variables that say where the browser and its driver are.
const CHROMIUM: &str = "ONESIDED_BROWSER_CHROMIUM";
const DRIVER: &str = "ONESIDED_BROWSER_DRIVER";

/// Nothing that is asked of the browser takes longer.
const DEADLINE: Duration = Duration::from_secs(180);

/// A browser with a window; ended when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser with a window of that many pixels; `None`, and said so, where there is none to be had.
    pub fn start(width: u32, height: u32) -> Option<Self> {
        let [chromium, driver] = [CHROMIUM, DRIVER].map(|name| {
            let value = std::env::var(name).unwrap_or_default();
            if value.is_empty() {
                crate::skip(&format!("no {name}, which `.ci/browser env` prints"));
            }
            value
        });
        if chromium.is_empty() || driver.is_empty() {
            return None;
        }
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let port = port_of(&mut driver);
        let profile = tempfile::tempdir().expect("a folder");
        let mut browser = Browser {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let arguments = json!([
            "--headless=new",
            "--no-sandbox", // which does not work for root
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
            // Nothing of the browser's own is to look like a request of the page.
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", browser._profile.path().display()),
        ]);
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let answer = browser.ask("POST", "/session", &body);
        browser.session = answer["sessionId"].as_str().expect("a session").into();
        Some(browser)
    }

    /// Opens a file, and waits until its script has drawn it.
    pub fn open(&self, page: &Path) {
        let page = page.canonicalize().expect("it is there");
        let address = format!("file://{}", page.display());
        self.command("POST", "url", &json!({"url": address}));
        for _ in 0..6000 {
            let state = self.script(
                "return [window.onesided && window.onesided.drawn_ms, window.onesided && window.onesided.error]",
            );
            assert_eq!(state[1], Value::Null, "{state}");
            if !state[0].is_null() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the page is not drawn; its log: {}", self.log("browser"));
    }

    /// What a function's body returns.
    pub fn script(&self, body: &str) -> Value {
        self.command("POST", "execute/sync", &json!({"script": body, "args": []}))
    }

    /// What the page tells tests.
    pub fn page(&self, expression: &str) -> Value {
        self.script(&format!("return window.onesided.{expression}"))
    }

    /// Lets the page draw what it is about to.
    pub fn settle(&self) {
        let frames = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(1)))";
        self.command(
            "POST",
            "execute/async",
            &json!({"script": frames, "args": []}),
        );
    }

    /// Does input actions of one device, such as `{"type": "pointer", …}`, then lets the page draw.
    pub fn act(&self, device: Value) {
        self.command("POST", "actions", &json!({"actions": [device]}));
        self.settle();
    }

    /// Scrolls an element into view. Returns its place in the window.
    pub fn place(&self, id: &str) -> [f64; 4] {
        self.script(&format!(
            "document.getElementById('{id}').scrollIntoView({{block: 'center'}})"
        ));
        self.rect(id)
    }

    /// The place of an element in the window: left, top, width, height.
    pub fn rect(&self, id: &str) -> [f64; 4] {
        let rect = self.script(&format!(
            "const r = document.getElementById('{id}').getBoundingClientRect();
             return [r.left, r.top, r.width, r.height]"
        ));
        std::array::from_fn(|k| rect[k].as_f64().expect("a number"))
    }

    /// Moves the mouse to a pixel of an element.
    pub fn hover(&self, id: &str, x: f64, y: f64) {
        self.mouse(&[self.move_to(id, x, y)]);
    }

    /// Clicks a pixel of an element.
    pub fn click(&self, id: &str, x: f64, y: f64) {
        let (down, up) = (
            json!({"type": "pointerDown", "button": 0}),
            json!({"type": "pointerUp", "button": 0}),
        );
        self.mouse(&[self.move_to(id, x, y), down, up]);
    }

    /// Drags a pixel of an element sideways.
    pub fn drag(&self, id: &str, x: f64, y: f64, by: f64) {
        let (down, up) = (
            json!({"type": "pointerDown", "button": 0}),
            json!({"type": "pointerUp", "button": 0}),
        );
        self.mouse(&[
            self.move_to(id, x, y),
            down,
            self.move_to(id, x + by, y),
            up,
        ]);
    }

    /// Turns the wheel over a pixel of an element.
    pub fn wheel(&self, id: &str, x: f64, y: f64, delta: i32) {
        let [left, top, _, _] = self.place(id);
        let (x, y) = ((left + x).round() as i64, (top + y).round() as i64);
        let scroll = json!({"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": delta, "duration": 0, "origin": "viewport"});
        self.act(json!({"type": "wheel", "id": "wheel", "actions": [scroll]}));
    }

    /// Presses keys, one after the other, in whatever has the focus.
    pub fn keys(&self, keys: &[&str]) {
        let pressed = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})));
        self.act(json!({"type": "key", "id": "keys", "actions": pressed.collect::<Vec<_>>()}));
    }

    fn move_to(&self, id: &str, x: f64, y: f64) -> Value {
        let [left, top, _, _] = self.place(id);
        let (x, y) = ((left + x).round() as i64, (top + y).round() as i64);
        json!({"type": "pointerMove", "x": x, "y": y, "duration": 0, "origin": "viewport"})
    }

    fn mouse(&self, actions: &[Value]) {
        self.act(json!({
            "type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions,
        }));
    }

    /// Emulates a medium and what its user prefers, by the browser's own protocol.
    pub fn emulate(&self, media: Value) {
        let body = json!({"cmd": "Emulation.setEmulatedMedia", "params": media});
        self.command("POST", "goog/cdp/execute", &body);
        self.settle();
    }

    /// A log of the browser since it was last read: `browser`, its console; `performance`, among others each request.
    pub fn log(&self, kind: &str) -> Value {
        self.command("POST", "se/log", &json!({"type": kind}))
    }

    /// Fails if the console has anything to say, or anything but the page was asked for.
    pub fn expect_silence(&self) {
        let console = self.log("browser");
        let of_test = |entry: &&Value| {
            // Reading pixels back is what tests do, and no page.
            let message = entry["message"].as_str().unwrap_or_default();
            message.contains("readback operations using getImageData")
        };
        let said = console.as_array().expect("a list").iter();
        let said: Vec<_> = said.filter(|entry| !of_test(entry)).collect();
        assert!(said.is_empty(), "the console says {said:?}");
        let requests: Vec<String> = self
            .log("performance")
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| {
                let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
                let message = &message["message"];
                let asks = ["Network.requestWillBeSent", "Network.webSocketCreated"];
                let params = &message["params"];
                // The browser's own pages ask for parts of it.
                let of_browser = params["documentURL"]
                    .as_str()
                    .unwrap_or_default()
                    .starts_with("chrome://");
                (!of_browser && asks.contains(&message["method"].as_str()?)).then(|| {
                    let url = params["request"]["url"].as_str().or(params["url"].as_str());
                    url.unwrap_or("?").to_owned()
                })
            })
            .filter(|url| !url.starts_with("file://") && !url.starts_with("data:"))
            .collect();
        assert!(requests.is_empty(), "{requests:?}");
    }

    /// How many requests the log has of files, so that a test knows that it would see others.
    pub fn n_files(&self) -> usize {
        let log = self.log("performance");
        let entries = log.as_array().expect("a list").iter();
        let texts = entries.filter_map(|entry| entry["message"].as_str());
        texts
            .filter(|text| text.contains("requestWillBeSent\"") && text.contains("file://"))
            .count()
    }

    /// Takes a picture of so many pixels of the window, from above, as a PNG in base64.
    pub fn screenshot(&self, height: f64) -> String {
        let width = self.script("return innerWidth");
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height.round(), "scale": 1});
        let body = json!({"cmd": "Page.captureScreenshot", "params": {"clip": clip}});
        let picture = self.command("POST", "goog/cdp/execute", &body);
        picture["data"].as_str().expect("base64").into()
    }

    fn command(&self, method: &str, what: &str, body: &Value) -> Value {
        self.ask(
            method,
            format!("/session/{}/{what}", self.session).trim_end_matches('/'),
            body,
        )
    }

    /// One request of HTTP/1.1, one connection each: nothing else is needed of it.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a time");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .expect("it is sent");
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("an answer in time");
            if let Some((name, value)) = line.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().expect("a length");
                }
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("the whole answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        let value = answer["value"].clone();
        assert!(
            value.get("error").is_none(),
            "{method} {path} {text}: {value}"
        );
        value
    }
}

/// The driver says on which port it listens.
fn port_of(driver: &mut Child) -> u16 {
    let stdout = driver.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    let port = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let (_, after) = line.split_once("started successfully on port ")?;
            after.trim_end_matches('.').parse().ok()
        })
        .expect("the driver listens on a port");
    // It must not wait for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    port
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.command("DELETE", "", &Value::Null);
        } else if !self.session.is_empty() {
            // A second failure would hide the first; the driver ends the browser when it ends.
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let _ = write!(
                    stream,
                    "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                    self.session
                );
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                let _ = stream.read(&mut [0; 1]);
            }
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
