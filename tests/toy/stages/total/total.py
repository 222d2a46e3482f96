import json, sys

request = json.load(open(sys.argv[1]))
rows = [json.loads(line) for line in open(request["inputs"]["powers"]["paths"][0])]
total = {"names": [row["name"] for row in rows], "sum": sum(row["power"] for row in rows)}
json.dump(total, open(request["outputs"]["total"], "w"))
