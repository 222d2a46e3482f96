//! Tests of the web UI: the real programs run, and a small client sends requests as a browser would, or as an attacker.

mod browser;
mod data;
mod guard;
mod live;
mod pages;
mod project;
mod server;
mod verdicts;
