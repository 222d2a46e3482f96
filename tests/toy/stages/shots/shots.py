import json, sys

request = json.load(open(sys.argv[1]))
with open(request["outputs"]["frames"], "w") as out:
    for path in request["inputs"]["lists"]["paths"]:
        for line in open(path):
            name, shows = line.split(",")
            print(json.dumps({"frame_id": name, "shows": int(shows)}), file=out)
