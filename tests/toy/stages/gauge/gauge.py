import json, sys

request = json.load(open(sys.argv[1]))
with open(request["outputs"]["gauges"], "w") as out:
    for line in open(request["inputs"]["rendered"]["paths"][0]):
        image = json.loads(line)
        gauge = image["brightness"] * request["params"]["gain"]
        group = "dark" if gauge < 5 else "light" if gauge < 100 else "white"
        row = {"image_id": image["image_id"], "gauge": gauge if gauge < 1000 else None, "group": group}
        print(json.dumps(row), file=out)
