//! Check of a shared file system by two processes on two machines, or on two mounts of one folder. They meet in the folder
//! `check`, and announce each step by a file with a fresh name.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::{Deserialize, Serialize};

use super::access::permit_group;
use super::process::Holder;
use super::settings::Settings;
use crate::store::files::{create_below, entries, remove};
use crate::store::half::read_json;

/// Races for one name.
const RACES: usize = 1000;
/// Pause between two looks at a folder.
const LOOK: Duration = Duration::from_millis(20);
/// Longest wait for a step of the other process. Names are stale for up to a minute on common file systems.
const LONGEST: Duration = Duration::from_secs(120);

/// Findings of two processes about a shared file system.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StoreCheck {
    /// Machines of the two processes.
    pub hosts: [String; 2],
    /// Names that were created exclusively by both processes, of this many.
    pub created_twice: (usize, usize),
    /// Names that were linked by both processes, of this many.
    pub linked_twice: (usize, usize),
    /// True if a lock of one process is seen by the other.
    pub locks_seen: bool,
    /// Longest time in seconds for which a new file was not seen under a name that was asked for before.
    pub stale: f64,
    /// Fate of fractions of seconds in times of files.
    pub fractions: Kept,
}

impl StoreCheck {
    /// Returns true if the file system has what commits need: names that only one process can make.
    pub fn is_usable(&self) -> bool {
        self.created_twice.0 == 0 && self.linked_twice.0 == 0
    }

    /// Expiry in seconds that a store needs there, if it is longer than the default.
    pub fn expiry(&self) -> Option<f64> {
        Some(4.0 * self.stale).filter(|expiry| *expiry > Settings::default().expiry().as_secs_f64())
    }
}

/// Fate of a value that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// It is kept.
    Kept,
    /// It is lost.
    Lost,
}

/// A process at the meeting.
struct Partner {
    folder: PathBuf,
    /// 0 or 1.
    role: usize,
    hosts: [String; 2],
}

/// Checks the shared store at `root` together with a second process that does the same. Waits up to `patience` for it.
///
/// # Errors
/// Returns an error if no second process comes, if it ends early, or if the folder cannot be written.
pub fn check_store(root: &Path, patience: Duration) -> Result<StoreCheck> {
    permit_group();
    let folder = root.join("check");
    create_below(root, &folder)?;
    let partner = Partner::meet(&folder, patience)?;
    let checked = partner.check();
    if partner.role == 0 {
        let _ = remove(&partner.folder);
        // It stays while another check meets there.
        let _ = fs::remove_dir(&folder);
    }
    checked
}

/// File with which a process shows that it waits: `hello-<id>.<number>`, which has the name of its machine.
struct Hello {
    path: PathBuf,
    number: u64,
}

impl Hello {
    fn new(folder: &Path, id: &str) -> Result<Self> {
        let path = folder.join(format!("hello-{id}.0"));
        fs::write(&path, Holder::this("").host).io_context("cannot write", &path)?;
        Ok(Self { path, number: 0 })
    }

    /// Gives the file the next number, after a pause.
    fn renew(&mut self) -> Result<()> {
        thread::sleep(LOOK);
        self.number += 1;
        let next = self.path.with_extension(self.number.to_string());
        fs::rename(&self.path, &next).io_context("cannot write", &next)?;
        self.path = next;
        Ok(())
    }

    /// Number and machine of each process that waits, by its id.
    fn all(folder: &Path) -> Result<BTreeMap<String, (u64, String)>> {
        let mut all = BTreeMap::new();
        for path in entries(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((id, number)) = name.strip_prefix("hello-").and_then(|name| name.split_once('.')) else {
                continue;
            };
            // It may have been renewed in the meantime.
            let Ok(host) = fs::read_to_string(&path) else { continue };
            all.insert(id.to_owned(), (number.parse().unwrap_or_default(), host));
        }
        Ok(all)
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn alone(patience: Duration) -> Error {
    Error::user_error(
        Code::Busy,
        format!("no second process came within {} s", patience.as_secs()),
        "start `callsheet store check` on another machine at the same time, or here with `--with` and another mount of the \
         folder",
    )
}

impl Partner {
    /// Waits for the other process. The one with the smaller name has role 0. Each process renews its file under the next
    /// number: the file of a check that was killed stays as it is.
    fn meet(folder: &Path, patience: Duration) -> Result<Self> {
        let own = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        let (mut hello, clock) = (Hello::new(folder, &own)?, Instant::now());
        let mut first: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            hello.renew()?;
            let all = Hello::all(folder)?;
            let alive = all.iter().filter(|(id, (number, _))| {
                **id == own || *first.entry((*id).clone()).or_insert(*number) != *number
            });
            let alive: Vec<(&String, &String)> = alive.map(|(id, (_, host))| (id, host)).collect();
            if let [(first, host), (second, other)] = alive[..] {
                let role = usize::from(*second == own);
                let met = Self {
                    folder: folder.join(format!("{first}-{second}")),
                    role,
                    hosts: [host.clone(), other.clone()],
                };
                create_below(folder, &met.folder)?;
                met.announce("met", "")?;
                // The other one sees the next number of this one, too.
                while !met.is_announced("met")? {
                    hello.renew()?;
                    if clock.elapsed() > patience + LONGEST {
                        return Err(alone(patience));
                    }
                }
                return Ok(met);
            }
            if alive.len() > 2 {
                let message = "more than two processes check this store".to_owned();
                return Err(Error::user_error(Code::Busy, message, "wait until the others are done"));
            }
            if clock.elapsed() > patience {
                return Err(alone(patience));
            }
        }
    }

    fn check(&self) -> Result<StoreCheck> {
        let created_twice = self.race("create", |path, _| File::create_new(path).map(drop))?;
        let linked_twice = self.race("link", |path, own| fs::hard_link(own, path))?;
        let locks_seen = self.locks()?;
        let stale = self.staleness()?;
        let fractions = if self.keeps_fractions()? { Kept::Kept } else { Kept::Lost };
        let own = StoreCheck {
            hosts: self.hosts.clone(),
            created_twice,
            linked_twice,
            locks_seen,
            stale,
            fractions,
        };
        self.announce("result", &serde_json::to_string(&own).expect("plain data"))?;
        let path = self.wait_for("result")?;
        let other: StoreCheck = read_json(&path).unwrap_or_else(|| own.clone());
        // Role 0 removes the folder, in which role 1 needs nothing more after its last step.
        match self.role {
            0 => drop(self.wait_for("end")?),
            _ => self.announce("end", "")?,
        }
        Ok(StoreCheck {
            locks_seen: own.locks_seen && other.locks_seen,
            stale: own.stale.max(other.stale),
            ..own
        })
    }

    /// Writes a file that the other process waits for.
    fn announce(&self, step: &str, text: &str) -> Result<()> {
        let path = self.folder.join(format!("{step}.{}", self.role));
        let draft = path.with_extension(format!("draft{}", self.role));
        fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path)).io_context("cannot write", path)
    }

    /// Returns true if the other process has announced a step.
    fn is_announced(&self, step: &str) -> Result<bool> {
        Ok(entries(&self.folder)?.contains(&self.folder.join(format!("{step}.{}", 1 - self.role))))
    }

    /// Waits for a file of the other process, which is found by listing the folder.
    fn wait_for(&self, step: &str) -> Result<PathBuf> {
        let path = self.folder.join(format!("{step}.{}", 1 - self.role));
        let clock = Instant::now();
        while !self.is_announced(step)? {
            if clock.elapsed() > LONGEST {
                let message = format!("the other process did not come to the step `{step}`");
                return Err(Error::user_error(Code::Busy, message, "start both processes again"));
            }
            thread::sleep(LOOK);
        }
        Ok(path)
    }

    /// Both processes try to make the same names. Returns how many names both made, and the number of names.
    fn race(&self, what: &str, make: impl Fn(&Path, &Path) -> std::io::Result<()>) -> Result<(usize, usize)> {
        let own = self.folder.join(format!("{what}-own.{}", self.role));
        fs::write(&own, "").io_context("cannot write", &own)?;
        self.announce(&format!("{what}-begin"), "")?;
        self.wait_for(&format!("{what}-begin"))?;
        let mut won = String::new();
        for number in 0..RACES {
            match make(&self.folder.join(format!("{what}{number}")), &own) {
                Ok(()) => won += &format!("{number}\n"),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).io_context("cannot create", &self.folder),
            }
        }
        self.announce(&format!("{what}-won"), &won)?;
        let other = fs::read_to_string(self.wait_for(&format!("{what}-won"))?)
            .io_context("cannot read", &self.folder)?;
        let other: Vec<&str> = other.lines().collect();
        Ok((won.lines().filter(|number| other.contains(number)).count(), RACES))
    }

    /// Returns true if this process sees the lock of the other one.
    fn locks(&self) -> Result<bool> {
        let path = self.folder.join("lock");
        let mut seen = true;
        for holder in 0..2 {
            let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.io_context("cannot open", &path)?;
            if self.role == holder {
                file.lock().io_context("cannot lock", &path)?;
                self.announce(&format!("locked{holder}"), "")?;
                self.wait_for(&format!("looked{holder}"))?;
            } else {
                self.wait_for(&format!("locked{holder}"))?;
                seen = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
                drop(file);
                self.announce(&format!("looked{holder}"), "")?;
            }
        }
        Ok(seen)
    }

    /// Longest time in seconds for which a file of the other process was not seen here after it was announced.
    fn staleness(&self) -> Result<f64> {
        let mut longest: f64 = 0.0;
        for asks in 0..2 {
            let path = self.folder.join(format!("late{asks}"));
            if self.role == asks {
                let _ = fs::metadata(&path);
                self.announce(&format!("asked{asks}"), "")?;
                self.wait_for(&format!("made{asks}"))?;
                let clock = Instant::now();
                while fs::metadata(&path).is_err() && clock.elapsed() < LONGEST {
                    thread::sleep(LOOK);
                }
                longest = longest.max(clock.elapsed().as_secs_f64());
                self.announce(&format!("seen{asks}"), "")?;
            } else {
                self.wait_for(&format!("asked{asks}"))?;
                fs::write(&path, "").io_context("cannot write", &path)?;
                self.announce(&format!("made{asks}"), "")?;
                self.wait_for(&format!("seen{asks}"))?;
            }
        }
        Ok(longest)
    }

    /// Returns true if the fraction of a second in the time of a file is kept: results are recognised by it.
    fn keeps_fractions(&self) -> Result<bool> {
        let path = self.folder.join(format!("time.{}", self.role));
        let time = std::time::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_700);
        let file = File::create(&path).io_context("cannot write", &path)?;
        let times = FileTimes::new().set_accessed(time).set_modified(time);
        file.set_times(times).io_context("cannot write", &path)?;
        let found =
            fs::metadata(&path).and_then(|found| found.modified()).io_context("cannot read", &path)?;
        Ok(found == time)
    }
}
