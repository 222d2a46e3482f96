import json, sys

request = json.load(open(sys.argv[1]))
with open(request["outputs"]["items"], "w") as out:
    for path in request["inputs"]["lists"]["paths"]:
        for line in open(path):
            name, group, value = line.split(",")
            print(json.dumps({"name": name, "group": group, "value": int(value)}), file=out)
