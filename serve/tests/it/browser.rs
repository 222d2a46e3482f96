//! Pages of a project, in a browser that was opened with the link.

use std::io::Read;

use serde_json::Value;

use crate::project::Project;
use crate::server::{Answer, Server};

/// Browser with the cookie of a server.
pub(crate) struct Browser {
    server: Server,
    cookie: String,
}

impl Browser {
    pub(crate) fn of(project: &Project) -> Self {
        let server = Server::start(project);
        let cookie = server.log_in();
        Self { server, cookie }
    }

    /// Pages of another pipeline than the only one.
    pub(crate) fn of_pipeline(project: &Project, pipeline: &str) -> Self {
        let server = Server::start_with(project, &["--port", "0", "--pipeline", pipeline]);
        let cookie = server.log_in();
        Self { server, cookie }
    }

    pub(crate) fn answer(&self, path: &str) -> Answer {
        self.server.get(path, &[("cookie", &self.cookie)])
    }

    /// Sends JSON as the script of a page does.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.server.post(path, &self.cookie, &body.to_string())
    }

    /// Bytes of an answer, with its headers.
    pub(crate) fn raw(&self, path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut stream = self.server.open("GET", path, &[("cookie", &self.cookie)]);
        stream.read_to_end(&mut bytes).expect("an answer");
        bytes
    }

    pub(crate) fn page(&self, path: &str) -> String {
        let answer = self.answer(path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        answer.body
    }
}
