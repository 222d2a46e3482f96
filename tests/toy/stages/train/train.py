import json, os, struct, sys, time, zlib

request = json.load(open(sys.argv[1]))
params, checkpoint = request["params"], os.path.join(request["scratch"], "checkpoint.json")
numbers = [int(line) for line in open(request["inputs"]["numbers"]["paths"][0])]
at, state = json.load(open(checkpoint)) if os.path.exists(checkpoint) else (0, params["seed"])
began = at


def say(event):
    with open(os.environ["CALLSHEET_EVENTS"], "a") as events:
        events.write(json.dumps(event) + "\n")


def picture(value):
    """A PNG of two pixels of one colour."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes([value] * 6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


while at < params["stop_steps"]:
    time.sleep(params["seconds"])
    state = (state * 6364136223846793005 + numbers[at % len(numbers)]) % 2**64
    at += 1
    with open(checkpoint + ".new", "w") as file:
        json.dump((at, state), file)
    os.replace(checkpoint + ".new", checkpoint)
    say({"metric": {"name": "state/rest", "step": at, "value": state % 1000}})
    if at % 4 == 0:
        name = f"state-{at}.png"
        with open(name, "wb") as file:
            file.write(picture(at))
        say({"image": {"name": "state/colour", "step": at, "path": name}})
say({"metric": {"name": "steps/gone", "step": at, "value": at - began}})
open(request["outputs"]["model"], "w").write(f"{state}\n")
