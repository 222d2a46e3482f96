use super::*;

#[test]
fn a_claim_holds_where_the_whole_interval_is_on_its_side() {
    let psnr = |low, high| verdict([0.0, low, high], true, 0.0);
    assert_eq!([psnr(0.1, 0.5), psnr(-0.5, -0.1), psnr(-0.1, 0.1)], ["yes", "no", "undecided"]);
    let distance = |low, high| verdict([0.0, low, high], false, 0.0);
    assert_eq!([distance(0.1, 0.5), distance(-0.5, -0.1)], ["no", "yes"], "less is better");
    assert_eq!(psnr(f64::NAN, f64::NAN), "undecided", "a single frame has no interval");
}

#[test]
fn a_claim_with_slack_allows_a_difference_below_the_slack() {
    assert_eq!(verdict([0.0, -0.4, -0.1], true, 0.5), "yes");
    assert_eq!(verdict([0.0, -0.9, -0.6], true, 0.5), "no");
    assert_eq!(verdict([0.0, 0.01, 0.04], false, 0.05), "yes");
}
