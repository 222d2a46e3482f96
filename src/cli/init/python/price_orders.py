"""Computes the total of each order."""

import callsheet


def total(order, tax):
    """Returns the total of an order with tax, rounded to cents."""
    return round(order["price"] * order["quantity"] * (1 + tax), 2)


with callsheet.stage() as job:
    orders = job.inputs.orders  # contains only the rows that must be computed
    job.outputs.priced.write(
        {"order_id": order["order_id"], "product": order["product"], "total": total(order, job.params.tax)}
        for order in job.track(orders.rows(), total=len(orders), unit="orders")
    )
