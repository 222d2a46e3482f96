# The first argument is the file to write, the others are the texts.
out=$1
shift
cat "$@" | tr -cs '[:alpha:]' '\n' | grep . | sort | uniq -c | sort -k1,1nr -k2 |
    awk '{ printf "{\"word\": \"%s\", \"count\": %d}\n", $2, $1 }' > "$out"
