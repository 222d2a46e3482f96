import json, sys

request = json.load(open(sys.argv[1]))
with open(request["outputs"]["kept"], "w") as out:
    for path in request["inputs"]["numbers"]["paths"]:
        out.write(open(path).read())
