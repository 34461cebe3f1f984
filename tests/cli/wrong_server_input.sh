#!/bin/sh
# wrong_server_input.sh HONE SOURCE: what can be wrong when somebody starts the server or speaks about its
# data folder: addresses, files, folders, databases, names. One sentence each, exit 1 or 2, as in
# wrong_input.sh; nothing starts, and a folder that is good stays good.
# shellcheck disable=SC2086  # $any is two words
set -u
hone=$1
folder=$(mktemp -d)
cd "$folder" || exit 2
export LC_ALL=C HOME="$folder/home"
unset HONE_HOME XDG_DATA_HOME HONE_MODEL
. "$2/tests/cli/judge.sh"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; cd /; rm -rf "$folder"' EXIT

# A server that starts although it should not is ended after half a minute.
program=$hone
refusing() { timeout 30 "$program" "$@"; }
hone=refusing
any='--listen 127.0.0.1:0'

start() {  # options: a server in the background; its address in $url
  "$program" serve "$@" --quiet >listening 2>server_err </dev/null &
  server=$!
  for _ in $(seq 300); do
    [ -s listening ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  url=$(sed -n 's/^listening on //p' listening)
  [ -n "$url" ] || complain "the server did not start: $(cat server_err)"
}
stop() {
  kill "$server"
  wait "$server" || complain "the server ended with $?: $(cat server_err)"
  server=
}

# Options and words.
for address in 127.0.0.1 localhost 127.0.0.1:x 127.0.0.1:65536 127.0.0.1: :80; do
  refused 2 'is no address with a port' serve --data-dir d --listen "$address"
done
refused 2 'is open to other machines' serve --data-dir d --listen 0.0.0.0:0
refused 2 'is no address to listen on' serve --data-dir d --listen no.such.host.invalid:80 --insecure-listen
refused 2 'did you mean --listen?' serve --listn 127.0.0.1:0
refused 2 'hone serve takes options only' serve extra
refused 2 'hone up takes options only' up a b
refused 2 '--data-dir needs a value' up --data-dir
refused 2 '--max-import-bytes "ten" is not a size' serve --data-dir d $any --max-import-bytes ten
refused 2 '--memory-limit "lots" is not a size' up --data-dir d $any --memory-limit lots
refused 2 'is more than the bound of 4096' up --data-dir d $any --threads 5000
refused 2 'is no name of a host' serve --data-dir d $any --allowed-host 'a b'
refused 2 'there is no such file' serve --data-dir d $any --model no.gguf
refused 2 '--log . is a folder' serve --data-dir d $any --log .
refused 2 'cannot write to no/log' serve --data-dir d $any --log no/log
refused 2 'go together' serve --data-dir d $any --tls-key k.pem
refused 2 'c.pem cannot be used: No such file' serve --data-dir d $any --tls-certificate c.pem --tls-key k.pem
echo words >c.pem
refused 2 'c.pem cannot be used' serve --data-dir d $any --tls-certificate c.pem --tls-key c.pem
if command -v openssl >/dev/null; then
  for one in 1 2; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "k$one.pem" -out "c$one.pem" -days 1 -subj /CN=localhost 2>/dev/null
  done
  refused 2 'k2.pem cannot be used: key values mismatch' serve --data-dir d $any --tls-certificate c1.pem --tls-key k2.pem
  refused 2 'no.pem cannot be used: No such file' serve --data-dir d $any --tls-certificate c1.pem --tls-key no.pem
fi

# Folders.
echo text >file
refused 2 'file is no folder; name a folder' up --data-dir file $any
refused 1 'name a folder that you may write to' up --data-dir file/sub $any
refused 2 'there is no data folder' user add Ada --data-dir nowhere
[ ! -e nowhere ] || complain 'nowhere was made'
if [ "$(id -u)" -ne 0 ]; then
  mkdir locked && chmod 500 locked
  refused 1 'Permission denied' up --data-dir locked $any
  refused 1 'Permission denied' up --data-dir locked/new $any
fi

# A good one, with an organisation and a project in it; then two servers on it, and on its port.
"$program" up --data-dir team --no-demo --quiet $any >up_out 2>up_err </dev/null &
server=$!
for _ in $(seq 300); do grep -q 'sign in' up_out && break; sleep 0.1; done
refused 2 'is open in another hone' up --data-dir team $any
refused 1 'Address already in use' serve --data-dir other --listen "$(sed -n 's,^listening on http://,,p' up_out)"
"$program" project create Pairs --data-dir team >/dev/null || complain 'no project could be made'

# Words about it, while the server does the work and when it is gone.
words_about_it() {
  refused 2 'hone user needs a word first' user
  refused 2 'did you mean add?' user ad --data-dir team
  refused 2 'there is: create' token make --data-dir team
  refused 2 'takes one name' user add --data-dir team
  refused 2 '--role "king" is none' user add Ada --role king --data-dir team
  refused 2 'is not an e-mail address' user add Ada --email 'no address' --data-dir team
  refused 2 'hone user list shows who there is' user link Nobody --data-dir team
  refused 2 'this data folder has My team' project list --organisation nope --data-dir team
  refused 2 'needs --user' token create --data-dir team
  refused 2 "unknown scope 'fly'" token create --user Administrator --scope fly --data-dir team
  refused 2 'is at most 3650' token create --user Administrator --expires-in-days 999999999999 --data-dir team
  refused 2 'expected one of pairwise' project create P --type nope --data-dir team
  refused 2 '1 to 50 people' project create P --overlap 0 --data-dir team
  refused 2 'hone project list shows them' project import Nothing file --data-dir team
  refused 2 'check its name' project import Pairs no.jsonl --data-dir team
  refused 2 'it is a folder' project import Pairs . --data-dir team
  refused 2 'c.pem: none of 1 rows can be used; line 1' project import Pairs c.pem --data-dir team --format jsonl
  : >empty
  refused 2 'empty has no rows' project import Pairs empty --data-dir team
  refused 2 'the format must be jsonl' project import Pairs file --format xml --data-dir team
  refused 2 'format must be preferences' project export Pairs --output o --format xls --data-dir team
  refused 2 'there is no folder' project export Pairs --output no/o --data-dir team
  refused 2 'is a folder; name a file' project export Pairs --output . --overwrite --data-dir team
  [ ! -e o ] || complain 'o was left behind'
}
words_about_it
stop
words_about_it

# Databases. `broken` is a copy of the good folder with one thing wrong.
organisation=$(basename team/orgs/*)
fresh() { rm -rf broken && cp -r team broken; }
said_by_both() {  # code, words
  refused "$1" "$2" up --data-dir broken $any
  refused "$1" "$2" project list --data-dir broken
}
for database in control.db "orgs/$organisation/org.db"; do
  fresh && head -c 5000 "$program" >"broken/$database" && said_by_both 2 'is no database of Hone'
  fresh && rm -f "broken/$database"* && mkdir "broken/$database" && said_by_both 1 'cannot be opened'
  fresh && dd if="$program" of="broken/$database" bs=4096 seek=1 count=20 conv=notrunc status=none &&
    said_by_both 2 'is damaged; restore a backup'
done
fresh && rm -rf "broken/orgs/$organisation" && said_by_both 2 'org.db is missing'
[ ! -e "broken/orgs/$organisation" ] || complain 'an empty organisation was made in place of the lost one'
fresh && echo junk >broken/key && said_by_both 2 'holds no key'
fresh && rm broken/key && said_by_both 2 'key is missing'
fresh && rm -f broken/lock && mkdir broken/lock && said_by_both 1 'name a folder that you may write to'
fresh && mkdir -p broken/control.sock/x && refused 1 'remove what lies there' up --data-dir broken $any

# A full disk: no file may grow beyond so many blocks of 512 bytes, and the signal is ignored.
count=$((count + 1))
said=$(trap '' XFSZ; ulimit -f 64; "$program" up --data-dir full --quiet $any 2>&1 >/dev/null </dev/null; echo "exit $?")
case $said in
  'hone: '*'the disk of the database'*'try again'*'exit 1') ;;
  *) complain "a full disk: $said" ;;
esac

# The good one is still good: it starts, and its project is there.
start --data-dir team $any
"$program" project list --data-dir team | grep -q Pairs || complain 'the project is gone'
stop

[ "$count" -gt 75 ] || complain "only $count things were tried"
verdict
