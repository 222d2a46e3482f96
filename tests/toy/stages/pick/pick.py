import csv, json, sys

request = json.load(open(sys.argv[1]))
excluded = set()
for path in request["inputs"].get("curation", {}).get("paths", []):
    excluded |= {line["key"] for line in csv.DictReader(open(path)) if line["verdict"] == "exclude"}
with open(request["outputs"]["images"], "w") as out:
    for line in open(request["inputs"]["frames"]["paths"][0]):
        row = json.loads(line)
        for crop in range(2 if row["frame_id"] not in excluded else 0):
            print(json.dumps({**row, "image_id": f"{row['frame_id']}/c{crop}"}), file=out)
