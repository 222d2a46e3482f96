//! Pages of runs that go on.

use std::io::{BufRead, BufReader};
use std::thread;
use std::time::{Duration, Instant};

use crate::project::Project;
use crate::server::Server;

/// Waits until the server answers with 200, and the answer contains `text`.
fn wait_for(server: &Server, cookie: &str, path: &str, text: &str) {
    let begun = Instant::now();
    loop {
        let answer = server.get(path, &[("cookie", cookie)]);
        if answer.status == 200 && answer.body.contains(text) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{path} never contains {text}: {}", answer.body);
        thread::sleep(Duration::from_millis(50));
    }
}

/// Ids and data of the events of a stream, until it ends.
fn events(server: &Server, cookie: &str, path: &str, last: Option<&str>) -> Vec<(String, String, String)> {
    let mut headers = vec![("cookie", cookie)];
    headers.extend(last.map(|last| ("last-event-id", last)));
    let lines = BufReader::new(server.open("GET", path, &headers)).lines();
    let (mut events, mut event) = (Vec::new(), (String::new(), String::new(), String::new()));
    for line in lines.map_while(Result::ok) {
        match line.split_once(": ") {
            Some(("event", name)) => name.clone_into(&mut event.0),
            Some(("id", id)) => id.clone_into(&mut event.1),
            Some(("data", data)) => data.clone_into(&mut event.2),
            _ if line.is_empty() && !event.0.is_empty() => events.push(std::mem::take(&mut event)),
            _ => {}
        }
    }
    events
}

#[test]
fn a_page_follows_a_run_and_a_browser_that_reconnects_gets_each_change_once() {
    let project = Project::new();
    project.write(
        "data/raw/third.sh",
        &format!(
            "echo begun; while ! [ -e '{}' ]; do sleep 0.05; done; echo the end\n",
            project.path("go").display()
        ),
    );
    let server = Server::start(&project);
    let cookie = server.log_in();
    let mut run = project.start(&["run"]);
    wait_for(&server, &cookie, "/run/latest/stage/third", "begun");
    let page = server.get("/run/latest", &[("cookie", &cookie)]).body;
    assert!(page.contains("run.js") && page.contains("state running"), "{page}");
    let row = page
        .split("<tr ")
        .find(|row| row.contains("data-stage=\"after\""))
        .expect("a stage that waits has a row");
    assert!(row.contains("not done"), "{row}");
    let log = server.get("/run/latest/stage/third/log?since=0-0", &[("cookie", &cookie)]).body;
    assert!(log.contains("\"more\":true") && log.contains("begun"), "{log}");

    project.write("go", "");
    let heard = events(&server, &cookie, "/run/latest/events", None);
    assert!(run.wait().expect("ended").success());
    let (last, changes) = heard.split_last().expect("events");
    assert_eq!(last.0, "end", "{heard:?}");
    let all: String = heard.iter().map(|(_, _, data)| data.as_str()).collect();
    assert!(all.contains(r#""third":{"state":"ran""#) && all.contains("never ran"), "{heard:?}");

    let again = events(&server, &cookie, "/run/latest/events", Some(&last.1));
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!((again[0].0.as_str(), again[0].2.as_str()), ("end", "{}"));
    for (_, id, _) in changes {
        let rest = events(&server, &cookie, "/run/latest/events", Some(id));
        let states = |events: &[(String, String, String)]| {
            events.iter().filter(|event| event.2.contains(r#""third":{"state":"ran""#)).count()
        };
        let after = heard.iter().skip_while(|event| event.1 != *id).skip(1).cloned().collect::<Vec<_>>();
        assert_eq!(states(&rest), states(&after), "each change once: {rest:?}");
    }
    wait_for(&server, &cookie, "/run/latest/stage/third", "the end");
}

#[test]
fn the_page_of_a_killed_run_says_how_to_go_on_and_its_stream_ends() {
    let project = Project::new();
    project.write("data/raw/third.sh", "echo begun; sleep 600\n");
    let server = Server::start(&project);
    let cookie = server.log_in();
    let mut run = project.start(&["run"]);
    wait_for(&server, &cookie, "/run/latest/stage/third", "begun");
    run.kill().expect("killed");
    run.wait().expect("ended");
    wait_for(&server, &cookie, "/run/latest", "The process of this run ended before the run did");
    let page = server.get("/run/latest", &[("cookie", &cookie)]).body;
    assert!(!page.contains("state running"), "{page}");
    let heard = events(&server, &cookie, "/run/latest/events", None);
    assert_eq!(heard.last().map(|event| event.0.as_str()), Some("end"), "{heard:?}");
}
