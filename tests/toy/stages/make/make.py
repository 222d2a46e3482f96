import json, sys, time

request = json.load(open(sys.argv[1]))
time.sleep(request["params"]["seconds"])
with open(request["outputs"]["kept"], "w") as out:
    for path in request["inputs"]["numbers"]["paths"]:
        out.write(open(path).read())
