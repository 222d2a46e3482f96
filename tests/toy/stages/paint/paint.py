import json, struct, sys, zlib

request = json.load(open(sys.argv[1]))
outputs, params = request["outputs"], request["params"]


def picture(red):
    """A PNG of one pixel."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes([0, red, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def rows(name, rows):
    with open(outputs[name], "w") as out:
        for row in rows:
            print(json.dumps(row), file=out)


def image(n):
    return {"bytes": picture(n % 256).hex(), "path": f"{n}.png"}


with open(outputs["picture"], "wb") as out:
    out.write(b"no picture" if params["damaged"] else picture(255))
rows("table", [{"method": "a <b>", "score": 20.125, "score_low": 19.0, "score_high": 21.0},
               {"method": "c", "score": 0.5, "score_low": 0.5, "score_high": 0.5}])
points = range(params["points"])
rows("points", [{"image_id": f"</script>{n}", "tsne_x": n / 2, "tsne_y": -n / 3, "cluster": n % 2, "thumbnail": image(n)}
                for n in points])
rows("images", [{"image_id": f"frame {n}", "image": image(n)} for n in points])
