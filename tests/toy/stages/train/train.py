import json, os, sys, time

request = json.load(open(sys.argv[1]))
params, checkpoint = request["params"], os.path.join(request["scratch"], "checkpoint.json")
numbers = [int(line) for line in open(request["inputs"]["numbers"]["paths"][0])]
at, state = json.load(open(checkpoint)) if os.path.exists(checkpoint) else (0, params["seed"])
began = at
while at < params["stop_steps"]:
    time.sleep(params["seconds"])
    state = (state * 6364136223846793005 + numbers[at % len(numbers)]) % 2**64
    at += 1
    with open(checkpoint + ".new", "w") as file:
        json.dump((at, state), file)
    os.replace(checkpoint + ".new", checkpoint)
with open(os.environ["CALLSHEET_EVENTS"], "w") as events:
    events.write(json.dumps({"metric": {"name": "steps/gone", "step": at, "value": at - began}}) + "\n")
open(request["outputs"]["model"], "w").write(f"{state}\n")
