# Arguments: file to write, number of words, counts, and the file of verdicts if there is one.
out=$1 words=$2 counts=$3
shift 3
cat "$@" /dev/null | awk -F, '$2 == "exclude" { print $1 }' > excluded
# A line of the counts is {"count":3,"word":"the"}.
awk -F '[":,{}]+' '
    BEGIN { while ((getline word < "excluded") > 0) excluded[word] }
    !($5 in excluded) { print $3, $5 }
' "$counts" | head -n "$words" > "$out"
