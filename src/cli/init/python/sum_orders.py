"""Sums up the orders of each product."""

import callsheet

with callsheet.stage() as job:
    priced = job.inputs.priced.to_arrow()
    excluded = job.excluded("verdicts")
    priced = priced.filter([order not in excluded for order in priced["order_id"].to_pylist()])
    sums = priced.group_by("product").aggregate([("total", "count"), ("total", "sum")]).sort_by("product")
    job.outputs.sums.write({"product": sums["product"], "orders": sums["total_count"], "total": sums["total_sum"]})
    job.metric("revenue", sum(sums["total_sum"].to_pylist()))
