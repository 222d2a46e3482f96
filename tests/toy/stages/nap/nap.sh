sleep 1
echo "$1" > "$(dirname "$1")/out/done.txt"
