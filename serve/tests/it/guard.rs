//! The server answers only browsers that were opened with its link.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::Project;
use crate::server::Server;

/// Some address of each kind.
const PATHS: [&str; 5] =
    ["/", "/run/latest", "/run/latest/events", "/run/latest/stage/first/log", "/assets/run.js"];

#[test]
fn a_request_without_the_cookie_is_refused_and_shows_nothing() {
    let project = Project::new();
    project.run();
    let server = Server::start(&project);
    for path in PATHS {
        for cookie in ["", "callsheet_1=0", "callsheet=", "a; b=c"] {
            let answer = server.get(path, &[("cookie", cookie)]);
            assert_eq!(answer.status, 403, "{path}");
            assert!(answer.body.contains("callsheet serve --link"), "{}", answer.body);
            assert!(!answer.body.contains("first"), "{}", answer.body);
        }
    }
}

#[test]
fn a_link_opens_one_browser_and_another_link_the_next_one() {
    let project = Project::new();
    let server = Server::start(&project);
    for wrong in ["/open", "/open?code=", "/open?code=AAAA", &server.link[..server.link.len() - 1]] {
        assert_eq!(server.get(wrong, &[]).status, 403, "{wrong}");
    }
    let looked = server.send("HEAD", &server.link, &[]);
    assert_eq!(
        (looked.status, looked.header("set-cookie")),
        (405, None),
        "a program that looks at a link keeps it valid"
    );
    let answer = server.get(&server.link, &[]);
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("name and value");
    assert_eq!(server.get("/", &[("cookie", cookie)]).status, 200);
    assert_eq!(server.get(&server.link, &[]).status, 403, "a link opens one browser");
    let output = project.callsheet(&["serve", "--link"]);
    let link = String::from_utf8(output.stdout).expect("text");
    let path =
        link.trim().strip_prefix(&format!("http://{}", server.address)).expect("a link to this server");
    assert_eq!(server.get(path, &[]).status, 200);
}

#[test]
fn the_cookie_stays_valid_when_the_server_starts_again_on_its_port() {
    let project = Project::new();
    let first = Server::start(&project);
    let (cookie, port) = (first.log_in(), first.address.rsplit_once(':').expect("a port").1.to_owned());
    drop(first);
    let second = Server::start_on(&project, &port);
    assert_eq!(second.get("/", &[("cookie", &cookie)]).status, 200);
    assert_eq!(second.get("/", &[("cookie", "a=b"), ("cookie", &cookie)]).status, 200, "in two headers");
    let secret = project.path("data/store/serve/secret");
    assert_eq!(fs::metadata(&secret).expect("a file").permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(secret).expect("text");
    assert!(!second.printed.iter().any(|line| line.contains(&secret)) && !cookie.contains(&secret));
}

#[test]
fn a_name_that_was_made_to_resolve_to_this_machine_is_refused() {
    let project = Project::new();
    let server = Server::start(&project);
    let cookie = server.log_in();
    let port = server.address.rsplit_once(':').expect("a port").1;
    let with = |host: &str| server.get("/", &[("cookie", &cookie), ("host", host)]).status;
    for host in
        ["evil.example", &format!("evil.example:{port}"), &format!("127.0.0.1.evil.example:{port}"), ""]
    {
        assert_eq!(with(host), 403, "{host}");
    }
    let two = [("cookie", cookie.as_str()), ("host", server.address.as_str()), ("host", "evil.example")];
    assert_ne!(server.get("/", &two).status, 200, "two names");
    for host in [format!("localhost:{port}"), "localhost:9999".to_owned(), format!("[::1]:{port}")] {
        assert_eq!(with(&host), 200, "a tunnel to the server may have another port: {host}");
    }
}

#[test]
fn a_request_that_could_change_something_must_come_from_a_page_of_the_server() {
    let project = Project::new();
    let server = Server::start(&project);
    let cookie = server.log_in();
    let own = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("x-callsheet", "1"),
        ("content-type", "application/json"),
    ];
    assert_eq!(
        server.send("POST", "/", &own).status,
        405,
        "the guard accepts it, and no page has such a method"
    );
    for left_out in 1..own.len() {
        let mut headers = own.to_vec();
        headers.remove(left_out);
        assert_eq!(server.send("POST", "/", &headers).status, 403, "without {}", own[left_out].0);
    }
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("content-type", "text/plain")]
    {
        let headers = own.map(|(known, before)| (known, if known == name { value } else { before }));
        assert_eq!(server.send("POST", "/", &headers).status, 403, "{name}: {value}");
    }
    for method in ["OPTIONS", "DELETE", "PUT", "PATCH"] {
        let answer = server.send(method, "/", &[("cookie", &cookie), ("origin", "http://evil.example")]);
        assert_eq!(answer.status, 403, "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn every_answer_forbids_scripts_and_pages_of_others() {
    let project = Project::new();
    project.run();
    let server = Server::start(&project);
    let cookie = server.log_in();
    let answers = PATHS
        .iter()
        .filter(|path| !path.ends_with("events"))
        .map(|path| server.get(path, &[("cookie", &cookie)]));
    for answer in answers.chain([server.get("/", &[]), server.get("/none", &[("cookie", &cookie)])]) {
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(!answer.body.contains(" style=") && !answer.body.contains("<style"), "{}", answer.body);
    }
}

#[test]
fn the_server_listens_on_this_machine_only_unless_told_otherwise() {
    let project = Project::new();
    let server = Server::start(&project);
    assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
    let port = server.address.rsplit_once(':').expect("a port").1.to_owned();
    let output = project.callsheet(&["serve", "--port", &port]);
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(
        error.contains(&format!("cannot listen on 127.0.0.1:{port}")) && error.contains("--port 0"),
        "{error}"
    );
}

#[test]
fn a_new_link_is_printed_for_each_server_that_runs() {
    let project = Project::new();
    let refused = |project: &Project| {
        let output = project.callsheet(&["serve", "--link"]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("text")
    };
    assert!(refused(&project).contains("no server of this project"));
    assert!(!project.path("data/store/serve/secret").exists(), "looking for a server writes nothing");
    let (first, second) = (Server::start(&project), Server::start(&project));
    let printed =
        |project: &Project| String::from_utf8(project.callsheet(&["serve", "--link"]).stdout).expect("text");
    let both = printed(&project);
    assert!(
        both.lines().count() == 2 && both.contains(&first.address) && both.contains(&second.address),
        "{both}"
    );
    drop(second);
    let one = printed(&project);
    assert!(one.lines().count() == 1 && one.contains(&first.address), "{one}");
}

#[test]
fn an_unknown_pipeline_is_refused_at_the_start_and_nothing_is_written() {
    let project = Project::new();
    let output = project.callsheet(&["serve", "--port", "0", "-p", "mian"]);
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(2) && error.contains("mian") && error.contains("main"), "{error}");
    assert!(!project.path("data/store/serve").exists());
}
