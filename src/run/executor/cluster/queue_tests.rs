use super::*;

const LIMITS: Limits = Limits {
    job_seconds: 10.0,
    samples: 2,
    array: 100,
    grace: Duration::from_secs(5),
    long_grace: Duration::from_secs(50),
};

fn shape(class: usize) -> Shape {
    Shape { class, cpus: 1, memory: 0, gpus: 0, time: None }
}

fn add(queue: &mut Queue, stage: &str, seconds: Option<f64>) -> TaskId {
    queue.add(NewTask { stage: stage.to_owned(), shape: shape(0), seconds, is_exact: false })
}

fn submissions(queue: &mut Queue) -> Vec<Submission> {
    std::iter::from_fn(|| queue.next_submission(Moment::ZERO)).collect()
}

fn jobs(queue: &mut Queue) -> Vec<Vec<TaskId>> {
    submissions(queue).into_iter().flat_map(|submission| submission.jobs).collect()
}

fn all(state: JobState) -> impl Fn(BatchId, usize) -> Option<JobState> {
    move |_, _| Some(state)
}

const JOB: (BatchId, usize) = (0, 0);

const AT: fn(u64) -> Moment = Duration::from_secs;

#[test]
fn short_tasks_share_a_job_and_long_ones_do_not() {
    let mut queue = Queue::new(LIMITS);
    for seconds in [4.0, 4.0, 4.0, 30.0, 1.0] {
        add(&mut queue, &format!("s{seconds}"), Some(seconds));
    }
    assert_eq!(jobs(&mut queue), [vec![0, 1], vec![2], vec![3], vec![4]]);
    assert!(jobs(&mut queue).is_empty(), "each task is submitted once");
}

#[test]
fn a_sample_of_tasks_of_unknown_duration_decides_how_the_others_are_packed() {
    let mut queue = Queue::new(LIMITS);
    (0..12).for_each(|_| _ = add(&mut queue, "s", None));
    assert_eq!(jobs(&mut queue), [[0], [1]]);
    assert!(jobs(&mut queue).is_empty());
    queue.ended(0, Some(2.0));
    assert_eq!(jobs(&mut queue), [vec![2, 3, 4, 5, 6], vec![7, 8, 9, 10, 11]]);
}

#[test]
fn tasks_with_other_resources_are_another_submission() {
    let mut queue = Queue::new(LIMITS);
    let task =
        |class| NewTask { stage: "s".to_owned(), shape: shape(class), seconds: Some(1.0), is_exact: false };
    for class in [0, 1, 0] {
        queue.add(task(class));
    }
    let submissions = submissions(&mut queue);
    assert_eq!(submissions.iter().map(|s| s.shape.class).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(submissions[0].jobs, [[0, 2]]);
}

#[test]
fn a_submission_has_at_most_as_many_jobs_as_the_cluster_allows() {
    let mut queue = Queue::new(Limits { array: 3, ..LIMITS });
    (0..7).for_each(|_| _ = add(&mut queue, "s", Some(10.0)));
    assert_eq!(submissions(&mut queue).iter().map(|s| s.jobs.len()).collect::<Vec<_>>(), [3, 3, 1]);
}

#[test]
fn tasks_of_a_refused_submission_keep_their_place() {
    let mut queue = Queue::new(LIMITS);
    (0..3).for_each(|_| _ = add(&mut queue, "s", Some(10.0)));
    let batch = submissions(&mut queue)[0].batch;
    queue.refused(batch);
    add(&mut queue, "s", Some(10.0));
    assert_eq!(jobs(&mut queue), [[0], [1], [2], [3]]);
}

#[test]
fn a_task_is_lost_when_its_job_ended_some_time_ago_without_a_word() {
    let mut queue = Queue::new(LIMITS);
    add(&mut queue, "s", Some(10.0));
    jobs(&mut queue);
    let failed = all(JobState::Ended(JobEnd::NodeFailed));
    assert!(queue.listed(AT(1), &failed).is_empty(), "its news may arrive");
    assert!(queue.listed(AT(3), all(JobState::Running)).is_empty(), "the cluster started it again");
    assert!(queue.listed(AT(7), &failed).is_empty());
    assert_eq!(
        queue.listed(AT(12), &failed),
        [LostTask { task: 0, job: JOB, end: JobEnd::NodeFailed, again: true }]
    );
    assert_eq!(jobs(&mut queue), [[0]], "it is submitted again");
}

#[test]
fn a_task_that_is_lost_again_and_again_is_given_up() {
    let mut queue = Queue::new(Limits { grace: Duration::ZERO, ..LIMITS });
    add(&mut queue, "s", Some(10.0));
    let mut again = Vec::new();
    while !jobs(&mut queue).is_empty() {
        again
            .extend(queue.listed(AT(1), all(JobState::Ended(JobEnd::Unknown))).iter().map(|lost| lost.again));
    }
    assert_eq!(again, [true, true, true, false]);
}

#[test]
fn a_job_that_was_cancelled_or_used_too_much_memory_is_not_repeated() {
    for end in [JobEnd::Cancelled, JobEnd::OutOfMemory, JobEnd::Failed, JobEnd::Exited] {
        let mut queue = Queue::new(Limits { grace: Duration::ZERO, long_grace: Duration::ZERO, ..LIMITS });
        add(&mut queue, "s", Some(10.0));
        jobs(&mut queue);
        assert_eq!(
            queue.listed(AT(1), all(JobState::Ended(end))),
            [LostTask { task: 0, job: JOB, end, again: false }]
        );
        assert!(jobs(&mut queue).is_empty());
    }
}

#[test]
fn tasks_that_have_ended_are_forgotten() {
    let mut queue = Queue::new(LIMITS);
    (0..4).for_each(|_| _ = add(&mut queue, "s", Some(5.0)));
    jobs(&mut queue);
    assert_eq!((queue.len(), queue.open_jobs().count()), (4, 2));
    queue.ended(0, Some(5.0));
    queue.ended(1, None);
    assert_eq!((queue.len(), queue.open_jobs().count()), (2, 1));
    queue.ended(2, None);
    queue.ended(3, None);
    assert_eq!((queue.len(), queue.batches().count()), (0, 0));
}

#[test]
fn samples_that_fail_make_room_for_others() {
    let mut queue = Queue::new(LIMITS);
    (0..5).for_each(|_| _ = add(&mut queue, "s", None));
    assert_eq!(jobs(&mut queue), [[0], [1]]);
    queue.ended(0, None);
    queue.ended(1, None);
    assert_eq!(jobs(&mut queue), [[2], [3]]);
}

#[test]
fn a_job_gets_no_more_work_than_half_of_its_time_limit() {
    let mut queue = Queue::new(LIMITS);
    for _ in 0..4 {
        let shape = Shape { time: Some(Duration::from_secs(8)), ..shape(0) };
        queue.add(NewTask { stage: "s".to_owned(), shape, seconds: Some(2.0), is_exact: false });
    }
    assert_eq!(jobs(&mut queue), [[0, 1], [2, 3]]);
}

#[test]
fn a_job_that_ended_without_output_gets_a_minute_for_its_news() {
    let mut queue = Queue::new(LIMITS);
    add(&mut queue, "s", Some(10.0));
    jobs(&mut queue);
    let exited = all(JobState::Ended(JobEnd::Exited));
    assert!(queue.listed(AT(1), &exited).is_empty());
    assert!(queue.listed(AT(20), &exited).is_empty());
    assert_eq!(queue.listed(AT(60), &exited).len(), 1);
}

#[test]
fn a_task_that_is_given_up_takes_no_other_job_with_it() {
    let mut queue = Queue::new(Limits { grace: Duration::ZERO, ..LIMITS });
    (0..2).for_each(|_| _ = add(&mut queue, "s", Some(10.0)));
    jobs(&mut queue);
    let state = |_, index| Some(if index == 0 { JobState::Ended(JobEnd::Failed) } else { JobState::Running });
    assert_eq!(queue.listed(AT(1), state).len(), 1);
    queue.ended(0, None);
    assert_eq!((queue.batches().count(), queue.open_jobs().count()), (1, 1), "task 1 is still open");
}

#[test]
fn a_task_that_makes_progress_is_not_given_up_however_often_its_job_is_lost() {
    let mut queue = Queue::new(Limits { grace: Duration::ZERO, ..LIMITS });
    add(&mut queue, "s", Some(10.0));
    let mut lose = |progress: u64| {
        jobs(&mut queue);
        queue.started(0, progress);
        let lost = queue.listed(AT(1), |_, _| Some(JobState::Ended(JobEnd::NodeFailed)));
        lost.iter().map(|lost| lost.again).collect::<Vec<_>>()
    };
    for progress in 1..=10 {
        assert_eq!(lose(progress), [true], "its checkpoint {progress} is new");
    }
    let ends: Vec<_> = (0..3).map(|_| lose(10)).collect();
    assert_eq!(ends, [[true], [true], [false]]);
}

#[test]
fn a_task_that_is_put_back_twice_is_submitted_once() {
    let mut queue = Queue::new(LIMITS);
    add(&mut queue, "s", Some(10.0));
    jobs(&mut queue);
    queue.leave(0);
    queue.put_back(0);
    queue.put_back(0);
    assert_eq!(jobs(&mut queue), [[0]]);
    queue.put_back(0);
    assert_eq!(queue.open_jobs().count(), 0, "it has left the job that it was in");
    assert_eq!(jobs(&mut queue), [[0]]);
}

#[test]
fn a_job_that_was_asked_to_end_is_started_again_by_the_cluster_or_was_cancelled() {
    let mut queue = Queue::new(Limits { grace: Duration::ZERO, long_grace: Duration::ZERO, ..LIMITS });
    (0..3).for_each(|_| _ = add(&mut queue, "s", Some(10.0)));
    jobs(&mut queue);
    (0..3).for_each(|job| queue.heard((0, job), "a", true));
    let state = |_, index| {
        Some([JobState::Pending, JobState::Ended(JobEnd::Exited), JobState::Ended(JobEnd::NodeFailed)][index])
    };
    let ends: Vec<(TaskId, JobEnd, bool)> =
        queue.listed(AT(1), state).iter().map(|lost| (lost.task, lost.end, lost.again)).collect();
    assert_eq!(ends, [(1, JobEnd::Cancelled, false), (2, JobEnd::NodeFailed, true)]);
}
