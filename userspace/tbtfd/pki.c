// SPDX-License-Identifier: GPL-2.0
/*
 * tbtf - a small certification authority: one for the cluster, a certificate a node
 *
 * Copyright (C) 2026 The tbtf authors
 *
 * Two commands: "ca" makes the authority, on a machine of its own if there is one;
 * "node" a key and a certificate for a node, which are then carried to it. Keys are
 * ECDSA on P-256: every TLS 1.2 and 1.3 has it, and a signature takes 30 us. There is
 * no revocation list: a node that shall not come any more is taken out of [peers].
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "daemon.h"

#define CA_DAYS		3650
#define NODE_DAYS	825
#define DAYS_MAX	36500
#define DAY		86400L
/* Clocks of nodes differ: a certificate is good a little before it was made. */
#define BEFORE		(-3600L)

/* struct pair - a certificate and its key */
struct pair {
	X509 *cert;
	EVP_PKEY *key;
};

static int failed(const char *what, const char *path)
{
	unsigned long code = ERR_peek_error();

	fprintf(stderr, "tbtfd pki: %s%s%s: %s\n", what, *path ? " " : "", path,
		code ? ERR_reason_error_string(code) ?: "OpenSSL failed" : strerror(errno));
	return EXIT_FAILED;
}

static void drop(struct pair *pair)
{
	X509_free(pair->cert);
	EVP_PKEY_free(pair->key);
}

/* What is there is never written over: a key that is lost cannot be had again. */
static FILE *new_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !file)
		(void)close(fd);
	return file;
}

static int write_pair(const struct pair *pair, const char *cert_path, const char *key_path)
{
	FILE *file;
	int good;

	file = new_file(key_path, 0600);
	if (!file)
		return failed("cannot make", key_path);
	good = PEM_write_PrivateKey(file, pair->key, NULL, NULL, 0, NULL, NULL);
	if (fclose(file) || !good)
		return failed("cannot write", key_path);
	file = new_file(cert_path, 0644);
	if (!file) {
		(void)unlink(key_path);
		return failed("cannot make", cert_path);
	}
	good = PEM_write_X509(file, pair->cert);
	if (fclose(file) || !good)
		return failed("cannot write", cert_path);
	printf("%s\n%s\n", cert_path, key_path);
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int read_pair(struct pair *ret, const char *cert_path, const char *key_path)
{
	FILE *file = fopen(cert_path, "re");

	ret->cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	if (file)
		(void)fclose(file);
	if (!ret->cert)
		return failed("cannot read", cert_path);
	file = fopen(key_path, "re");
	ret->key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	if (file)
		(void)fclose(file);
	if (!ret->key)
		return failed("cannot read", key_path);
	return EXIT_OK;
}

static bool add(X509 *cert, X509 *issuer, int what, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	bool good;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, what, value);
	good = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return good;
}

static bool set_serial(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *number;
	bool good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return good;
}

/* A key and its certificate; @ca is NULL: it signs itself, and may sign others. */
static bool make(struct pair *ret, const struct pair *ca, const char *name, long days)
{
	X509_NAME *subject = X509_NAME_new();
	char san[TBTF_NAME_LEN + 4];
	X509 *cert = X509_new(), *issuer;
	bool good;

	ret->cert = cert;
	ret->key = EVP_EC_gen("P-256");
	issuer = ca ? ca->cert : cert;
	good = subject && cert && ret->key && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), BEFORE) &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) &&
	       X509_set_subject_name(cert, subject) &&
	       X509_set_issuer_name(cert, ca ? X509_get_subject_name(ca->cert) : subject) &&
	       X509_set_pubkey(cert, ret->key);
	X509_NAME_free(subject);
	if (!good || !add(cert, issuer, NID_subject_key_identifier, "hash"))
		return false;
	if (!ca)
		return add(cert, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		       add(cert, issuer, NID_key_usage, "critical,keyCertSign") &&
		       X509_sign(cert, ret->key, EVP_sha256());
	snprintf(san, sizeof(san), "DNS:%s", name);
	return add(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
	       add(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
	       add(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
	       add(cert, issuer, NID_subject_alt_name, san) && X509_sign(cert, ca->key, EVP_sha256());
}

static int make_ca(const char *dir, long days)
{
	char cert[4096], key[4096];
	struct pair ca = { 0 };
	int code;

	snprintf(cert, sizeof(cert), "%s/ca.pem", dir);
	snprintf(key, sizeof(key), "%s/ca.key", dir);
	if (make(&ca, NULL, "tbtf CA", days))
		code = write_pair(&ca, cert, key);
	else
		code = failed("cannot make a certificate", "");
	drop(&ca);
	return code;
}

static int make_node(const char *dir, const char *name, long days)
{
	struct pair ca = { 0 }, node = { 0 };
	char cert[4096], key[4096];
	int code;

	snprintf(cert, sizeof(cert), "%s/ca.pem", dir);
	snprintf(key, sizeof(key), "%s/ca.key", dir);
	code = read_pair(&ca, cert, key);
	if (!code) {
		snprintf(cert, sizeof(cert), "%s/%s.pem", dir, name);
		snprintf(key, sizeof(key), "%s/%s.key", dir, name);
		if (make(&node, &ca, name, days))
			code = write_pair(&node, cert, key);
		else
			code = failed("cannot make a certificate", "");
	}
	drop(&node);
	drop(&ca);
	return code;
}

static bool parse_days(const char *text, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *ret <= DAYS_MAX;
}

/**
 * tbtf_pki() - make certificates
 * @argc: how many of @argv
 * @argv: "ca" DIR [DAYS], or "node" DIR NAME [DAYS]
 *
 * Return: an exit code.
 */
int tbtf_pki(int argc, char **argv)
{
	bool node = argc > 0 && !strcmp(argv[0], "node");
	int words = node ? 3 : 2;
	long days = node ? NODE_DAYS : CA_DAYS;

	if (argc < words || argc > words + 1 || (!node && strcmp(argv[0], "ca"))) {
		fputs("Usage: tbtfd pki ca DIR [DAYS]\n"
		      "       tbtfd pki node DIR NAME [DAYS]\n"
		      "Make ca.pem and ca.key in DIR; with them, NAME.pem and NAME.key for a node.\n",
		      stderr);
		return EXIT_BAD_USAGE;
	}
	if (argc > words && !parse_days(argv[words], &days)) {
		fprintf(stderr, "tbtfd pki: '%s': a number of days from 0 to %d\n", argv[words], DAYS_MAX);
		return EXIT_BAD_USAGE;
	}
	if (node && (!tbtf_conf_name_ok(argv[2]) || !strcmp(argv[2], "ca") || argv[2][0] == '.')) {
		fprintf(stderr, "tbtfd pki: '%s' is no name of a node: letters, digits, '.', '_' or '-', and not ca\n",
			argv[2]);
		return EXIT_BAD_USAGE;
	}
	return node ? make_node(argv[1], argv[2], days) : make_ca(argv[1], days);
}
