import json, sys, time

request = json.load(open(sys.argv[1]))
params = request["params"]
wrong = params["misbehave"]
rows = [json.loads(line) for line in open(request["inputs"]["items"]["paths"][0])]
assert all(set(row) == {"name", "value"} for row in rows), "the worker must get exactly the columns that it declares"
if wrong == "reverse":
    rows.reverse()
if wrong == "forget":
    del rows[1:]
if wrong == "repeat":
    rows.append(rows[0])
if wrong == "add":
    rows.append({"name": "stranger", "value": 1})
with open(request["outputs"]["powers"], "w") as out:
    for row in rows:
        time.sleep(params["seconds"])
        power = row["value"] ** params["exponent"]
        answer = {"name": row["name"], "power": power, "digits": [int(d) for d in str(power)]}
        if wrong == "rename":
            answer["pwer"] = answer.pop("power")
        if wrong == "no key":
            answer["name"] = None
        if wrong == "type":
            answer["power"] = "much"
        if wrong == "not a number":
            answer["power"] = float("nan")
        print("{" if wrong == "garbage" else json.dumps(answer), file=out, flush=True)
