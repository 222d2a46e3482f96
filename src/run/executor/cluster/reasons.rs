//! Reasons why jobs wait, in words.

/// Reasons as Slurm calls them, by their beginnings, and in words. The first one that fits counts.
const REASONS: [(&str, &str); 22] = [
    ("Resources", "all nodes that have its resources are busy"),
    ("Priority", "jobs with a higher priority are before it"),
    ("JobArrayTaskLimit", "`max_jobs` of the executor is reached"),
    ("BeginTime", "it may start later; a job that is started again waits for up to two minutes"),
    ("Dependency", "another job must end first"),
    ("JobHeldUser", "it is held; `scontrol release` lets it start"),
    ("JobHeldAdmin", "an administrator holds it"),
    (
        "launch failed requeued held",
        "a node could not start it, so that Slurm holds it; `scontrol release` lets it start",
    ),
    (
        "launch_failed_requeued_held",
        "a node could not start it, so that Slurm holds it; `scontrol release` lets it start",
    ),
    ("ReqNodeNotAvail", "nodes that it needs are down, drained or reserved"),
    ("Nodes required for job are DOWN", "nodes that it needs are down, drained or reserved"),
    ("NodeDown", "a node that it needs is down"),
    ("PartitionDown", "the partition is down"),
    ("PartitionInactive", "the partition is inactive"),
    (
        "PartitionTimeLimit",
        "its time is above the limit of the partition, so that it never starts; lower `time`",
    ),
    ("PartitionNodeLimit", "its nodes are above the limit of the partition, so that it never starts"),
    (
        "PartitionConfig",
        "the partition has no node with its resources, so that it never starts; lower them, or set `cpus` and `memory` of \
         the class",
    ),
    (
        "BadConstraints",
        "no node has its features, so that it never starts; correct `constraint` of the class",
    ),
    ("Licenses", "a licence is not free"),
    ("Reservation", "its reservation has not begun"),
    ("QOS", "a limit of its quality of service is reached"),
    ("Assoc", "a limit of its account is reached"),
];

/// Reason in words, followed by the name that Slurm gives it.
pub(super) fn in_words(reason: &str) -> String {
    let plain = reason.trim_start_matches('(').trim_end_matches(')');
    let known = REASONS.iter().find(|(name, _)| plain.starts_with(name));
    match known {
        Some((_, words)) => format!("{words} ({plain})"),
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_explained_and_unknown_ones_are_quoted() {
        assert_eq!(in_words("Resources"), "all nodes that have its resources are busy (Resources)");
        assert!(in_words("QOSMaxJobsPerUserLimit").starts_with("a limit of its quality of service"));
        assert!(in_words("ReqNodeNotAvail, UnavailableNodes:n1").contains("n1"));
        assert!(in_words("(launch failed requeued held)").contains("scontrol release"));
        assert_eq!(in_words("Prolog"), "Prolog");
    }
}
