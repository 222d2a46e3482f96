//! A running server, and a client that speaks HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout};
use std::time::Duration;

use crate::project::Project;

/// Server of a project; it ends when dropped.
pub(crate) struct Server {
    child: Child,
    /// Address, such as `127.0.0.1:43210`.
    pub address: String,
    /// Path and query of the printed link.
    pub link: String,
    /// Lines that the server printed.
    pub printed: Vec<String>,
    // The server would end with an error if it printed more and nobody could read it.
    _stdout: BufReader<ChildStdout>,
}

/// Answer of the server.
pub(crate) struct Answer {
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Server {
    /// Starts `callsheet serve` on a free port.
    pub(crate) fn start(project: &Project) -> Self {
        Self::start_on(project, "0")
    }

    /// Starts `callsheet serve` on a port.
    pub(crate) fn start_on(project: &Project, port: &str) -> Self {
        Self::start_with(project, &["--port", port])
    }

    pub(crate) fn start_with(project: &Project, options: &[&str]) -> Self {
        let mut child = project.start(&[&["serve"], options].concat());
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut printed = Vec::new();
        while !printed.last().is_some_and(|line: &String| line.starts_with("stop the server")) {
            let mut line = String::new();
            if stdout.read_line(&mut line).expect("read") == 0 {
                let mut error = String::new();
                child.stderr.take().expect("piped").read_to_string(&mut error).expect("read");
                panic!("the server ended: {error}");
            }
            printed.push(line.trim_end().to_owned());
        }
        let after = |mark: &str| {
            let line = printed.iter().find_map(|line| line.split_once(mark)).expect("a line with an address");
            line.1.to_owned()
        };
        let address = after(" at http://");
        let link = after(&format!("http://{address}/open")).to_owned();
        Self { child, address, link: format!("/open{link}"), printed, _stdout: stdout }
    }

    /// Returns the cookie of a browser that opens the link.
    pub(crate) fn log_in(&self) -> String {
        let answer = self.get(&self.link, &[]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.header("set-cookie").expect("a cookie");
        cookie.split(';').next().expect("name and value").to_owned()
    }

    /// Sends a GET request with more headers.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers)
    }

    /// Sends a request with an empty body. Without a `host` among the headers, it names the address of the server.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut answer = String::new();
        let mut stream = self.open(method, path, headers);
        stream.read_to_string(&mut answer).expect("an answer");
        Answer::parse(&answer)
    }

    /// Sends a request with JSON as a page of the server does.
    pub(crate) fn post(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let headers = [
            ("cookie", cookie),
            ("sec-fetch-site", "same-origin"),
            ("x-callsheet", "1"),
            ("content-type", "application/json"),
        ];
        let mut answer = String::new();
        let mut stream = self.open_with("POST", path, &headers, body);
        stream.read_to_string(&mut answer).expect("an answer");
        Answer::parse(&answer)
    }

    /// Sends a request with an empty body and returns the connection.
    pub(crate) fn open(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
        self.open_with(method, path, headers, "")
    }

    fn open_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            request += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).expect("sent");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_lowercase(), value.to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
