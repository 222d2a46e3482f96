# Tests the stage: sh FOLDER/test_stage.sh
set -eu
stage=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "a cat and a dog" > "$folder/a.txt"
sh "$stage/stage.sh" "$folder/counts.json" 3 "$folder/a.txt"
expected='{"text": "a.txt", "words": 3}'
found=$(cat "$folder/counts.json")
if [ "$found" != "$expected" ]; then
    echo "expected $expected, found $found" >&2
    exit 1
fi
