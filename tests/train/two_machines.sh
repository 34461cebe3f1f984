#!/bin/sh
# two_machines.sh COMMAND..: mpirun of COMMAND on two ranks that share no network but a cable: each in a
# network namespace and with a host name of its own, so that MPI may use nothing but TCP between them.
# Needs root; exits with what mpirun says, or 77 when the machine allows no such namespaces.
set -eu
# Names of interfaces are short.
near=hone_a_$$ far=hone_b_$$
near_cable=ha$$ far_cable=hb$$
folder=$(mktemp -d)
cleanup() {
  ip netns del "$near" 2>/dev/null || true
  ip netns del "$far" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

connect() {
  ip netns add "$near" && ip netns add "$far" || return
  ip link add "$near_cable" netns "$near" type veth peer name "$far_cable" netns "$far" || return
  ip -n "$near" addr add 10.77.0.1/24 dev "$near_cable" || return
  ip -n "$far" addr add 10.77.0.2/24 dev "$far_cable" || return
  for name in "$near" "$far"; do ip -n "$name" link set lo up || return; done
  ip -n "$near" link set "$near_cable" up && ip -n "$far" link set "$far_cable" up
}
connect || exit 77

# In the place of ssh: HOST command..
cat >"$folder/enter" <<ENTER
#!/bin/sh
shift
exec ip netns exec $far unshare -u sh -c "hostname far-machine; \$*"
ENTER
chmod +x "$folder/enter"

# shellcheck disable=SC2016  # for the inner shell
ip netns exec "$near" unshare -u sh -c 'hostname near-machine; exec "$@"' sh \
  mpirun --host 10.77.0.1:1,10.77.0.2:1 -n 2 --mca plm_rsh_agent "$folder/enter" \
  --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
  --mca oob_tcp_if_include 10.77.0.0/24 "$@"
