#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154,SC2034
#
# tbtf - a lender with encryption = tls: who it believes, and who it does not
#
# Copyright (C) 2026 The tbtf authors
#
# Run by run.sh.
set -u
# shellcheck source=lib.sh
. selftests/host/lib.sh
# shellcheck source=lend-lib.sh
. selftests/host/lend-lib.sh

[ -x "$TBTFD" ] || { echo "skip tls: the libraries that tbtfd needs are not here"; exit 0; }

# --- pki ------------------------------------------------------------------------------

pki=$tmp/pki
mkdir "$pki" "$pki/other"
expect "pki: nothing said" 64 '^Usage: tbtfd pki ca DIR' "$TBTFD" pki
expect "pki: no authority yet" 1 "cannot read $pki/ca.pem" "$TBTFD" pki node "$pki" one
expect "pki: an authority" 0 "^$pki/ca.key$" "$TBTFD" pki ca "$pki"
expect "pki: its key is nobody else's to read" 0 '^600$' stat -c %a "$pki/ca.key"
expect "pki: it is not written over" 1 "cannot make $pki/ca.key: File exists" "$TBTFD" pki ca "$pki"
for name in ../x ca .x 'a b' ''; do
	expect "pki: a name that is none: '$name'" 64 "is no name of a node" "$TBTFD" pki node "$pki" "$name"
done
expect "pki: days that are none" 64 "'1x': a number of days" "$TBTFD" pki node "$pki" one 1x
for node in one two three four; do
	expect "pki: a node: $node" 0 "^$pki/$node.key$" "$TBTFD" pki node "$pki" $node
done
expect "pki: it is in order" 0 OK openssl verify -x509_strict -CAfile "$pki/ca.pem" "$pki/one.pem"
expect "pki: it has its name" 0 DNS:one openssl x509 -in "$pki/one.pem" -noout -ext subjectAltName
"$TBTFD" pki ca "$pki/other" > /dev/null
"$TBTFD" pki node "$pki/other" one > /dev/null
mkdir "$pki/old"
cp "$pki"/ca.* "$pki/old"
"$TBTFD" pki node "$pki/old" one 0 > /dev/null

# --- the lender -------------------------------------------------------------------------

security=$(printf '%s\n' "encryption = tls" "ca = $pki/ca.pem" "cert = $pki/two.pem" "key = $pki/one.key")
conf
expect "tls: a key of another certificate" 78 "security.key = .*one.key(: key values mismatch| is not the key)" \
	"$TBTFD" lend --trial --config "$file"
security=${security/one.key/none.key}
conf
expect "tls: a key that is not there" 78 "security.key = .*none.key: No such file" \
	"$TBTFD" lend --trial --config "$file"
security=${security/none.key/two.key}
conf
start_lender

# tls CERT_WITHOUT_PEM LINE...: a control connection; its last line ends it
tls()
{
	local cert=$1 keys=()

	shift
	[ -z "$cert" ] || keys=(-cert "$cert.pem" -key "$cert.key")
	printf '%s\n' "$@" end | timeout 20 openssl s_client -quiet -connect "127.0.0.1:$control_port" \
		-CAfile "$pki/ca.pem" -verify_return_error -verify_hostname two "${keys[@]}" ${version-} \
		> "$tmp/replies" 2> "$tmp/s_client"
}

for version in -tls1_3 -tls1_2; do
	tls "$pki/one" "$(hello one)" '{"id":2,"type":"offer"}'
	reply 1 "tls: hello with $version" '"ok":true,"version":1,"node":"two"'
	reply 2 "tls: and more" '"id":2,"ok":true,"offer_kb":98304'
done
version=
tls "$pki/one" "$(hello three)"
reply 1 "tls: another's name" '"error":"not-allowed"'

# --- data -----------------------------------------------------------------------------------

tls "$pki/one" "$(hello one)" '{"id":2,"type":"lease","kb":65536,"path":["one"],"hops":4}'
reply 2 "tls: a lease" '"ok":true,"lease":'
number=$(sed -n '2s/.*"lease":"\([0-9]*\)".*/\1/p' "$tmp/replies")
export=$(sed -n '2s/.*"export":"\([0-9a-f]*\)".*/\1/p' "$tmp/replies")

# As libnbd, qemu and nbdkit want them.
for dir in "$pki"/{one,three,four} "$pki"/{other,old}/one; do
	mkdir "$dir"
	cp "$pki/ca.pem" "$dir/ca-cert.pem"
	cp "$dir.pem" "$dir/client-cert.pem"
	cp "$dir.key" "$dir/client-key.pem"
done

# qemu CERT_DIR COMMAND...: a command of qemu's tools on the export
image()
{
	echo "driver=nbd,host=127.0.0.1,port=$nbd_port,export=$export,tls-creds=t,tls-hostname=two"
}

qemu()
{
	local dir=$1 command=("$2")

	shift 2
	if [ "${command[0]}" = qemu-img ]; then
		command+=("$1")
		shift
	fi
	timeout 60 "${command[@]}" --object "tls-creds-x509,id=t,dir=$dir,endpoint=client" --image-opts "$@"
}

expect "tls: write" 0 '^wrote 67108864' qemu "$pki/one" qemu-io -c "write -P 0x5a 0 64M" "$(image)"
expect "tls: read" 0 '^read 67108864' qemu "$pki/one" qemu-io -c "read -P 0x5a 0 64M" "$(image)"
head -c 67108864 /dev/urandom > "$tmp/image"
check "tls: an image there" timeout 60 qemu-img convert -n -f raw --object "tls-creds-x509,id=t,dir=$pki/one,endpoint=client" \
	--target-image-opts "$tmp/image" "$(image)"
check "tls: is the same" qemu "$pki/one" qemu-img compare "driver=raw,file.driver=file,file.filename=$tmp/image" "$(image)"
expect "tls: small pieces" 0 '^read 5000/5000' qemu "$pki/one" qemu-io -c "write -P 7 16380 9" -c "write -P 7 16389 4991" \
	-c "read -P 7 16380 5000" "$(image)"
for dir in three four other/one old/one; do
	not "tls: not with the certificate of $dir" qemu "$pki/$dir" qemu-io -c "read 0 4k" "$(image)"
done
check "tls: one of them was another borrower" grep -q 'refused: the export is another.s' "$log"
expect "tls: not in the clear" 1 '^error 5 encryption = tls' peer go one "$export"
expect "tls: nor by the old option, which has no words" 0 '^$' peer raw one \
	"49484156454f54500000000100000020$(printf %s "$export" | od -An -tx1 | tr -d ' \n')"
# An option behind STARTTLS, put there by somebody in between, is not taken for the client's.
expect "tls: nothing is carried over STARTTLS" 0 '^0003e889045565a9000000050000000100000000(15[0-9a-f]*)?$' peer raw one \
	"49484156454f5054000000050000000049484156454f505400000003000000000"
tls "$pki/one" "$(hello one)" "{\"id\":2,\"type\":\"release\",\"lease\":\"$number\"}"
reply 2 "tls: released" '"id":2,"ok":true'
not "tls: a name that was released" qemu "$pki/one" qemu-io -c "read 0 4k" "$(image)"
# --- strangers -----------------------------------------------------------------------------

# refused NAME CERT REGEX-OF-THE-LOG
refused()
{
	: > "$tmp/replies"
	tls "$2" "$(hello one)"
	not "tls: refused: $1" grep -q ok "$tmp/replies"
	wait_until "tls: refused: $1: it is logged" grep -qE "refused: .*$3" "$log"
}

refused "no certificate" "" "peer did not return a certificate"
refused "of another authority" "$pki/other/one" "its certificate is not good: .*(self-signed|unable to get local issuer|signature)"
refused "expired" "$pki/old/one" "its certificate is not good: certificate has expired"
refused "of the right authority, and not in [peers]" "$pki/four" "its certificate \(/CN=four\) has no name that is in"
refused "its own" "$pki/two" "its certificate \(/CN=two\) has no name that is in"
control one "$(hello one)"
reply 1 "tls: refused: in the clear" '^(closed|.*Connection reset.*)?$'
version=-tls1_1 tls "$pki/one" "$(hello one)"
not "tls: refused: TLS 1.1" grep -q ok "$tmp/replies"

kill -TERM "$lender"
wait "$lender"
check "tls: it ends" [ $? = 0 ]
! grep -q 'Sanitizer\|runtime error' "$log" || { not_ok "tls: a sanitizer complained"; cat "$log"; }
lender=
exit $failed
