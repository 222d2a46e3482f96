import json, os, sys

request = json.load(open(sys.argv[1]))
params = request["params"]
if params["times"] == 13:
    sys.exit("thirteen is unlucky")
numbers = [int(line) for line in open(request["inputs"]["numbers"]["paths"][0])]
out = request["outputs"]["doubled"]
if params["misbehave"] == "litter":
    open(os.path.join(os.path.dirname(out), "litter.txt"), "w").write("x")
if params["misbehave"] != "forget":
    with open(os.environ["CALLSHEET_EVENTS"], "w") as events, open(out, "w") as file:
        for done, number in enumerate(numbers, 1):
            file.write(f"{number * params['times']}\n")
            progress = {"done": done, "total": len(numbers), "unit": "numbers"}
            events.write(json.dumps({"progress": progress}) + "\n")
