import json, sys

request = json.load(open(sys.argv[1]))
given = request["inputs"]["numbers"]
table = []
for path, name, values in zip(given["paths"], given["names"], given["values"], strict=True):
    table.append({"name": name, "values": values, "numbers": [int(line) for line in open(path)]})
json.dump(table, open(request["outputs"]["table"], "w"))
