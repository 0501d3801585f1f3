/** That the one URI of a workload's certificate is a SPIFFE ID: no linter in use knows this standard. */

import type { Lint } from "./lint.ts";
import { hostOf } from "./uri.ts";

/**
 * zlint's ext_san_uri_host_not_fqdn_or_ip is left out: a trust domain is a name of its own kind, and `mesh` alone is one.
 */
export const spiffeIdLints: readonly Lint[] = [
  {
    name: "one-uri",
    source: "X509-SVID 2: exactly one URI SAN",
    holds: ({ tbs: { uris } }) => uris.length === 1,
  },
  {
    name: "spiffe-scheme",
    source: "SPIFFE-ID 2, X509-SVID 5.2; zlint ext_san_uri_relative",
    holds: ({ uri }) => uri.scheme === "spiffe",
  },
  {
    name: "spiffe-trust-domain-present",
    source: "SPIFFE-ID 2: a non-zero trust domain name; zlint ext_san_uri_format_invalid",
    holds: ({ uri }) => hostOf(uri) !== "",
  },
  {
    name: "spiffe-no-userinfo",
    source: "SPIFFE-ID 2.1",
    holds: ({ uri }) => uri.authority?.includes("@") !== true,
  },
  {
    name: "spiffe-no-port",
    source: "SPIFFE-ID 2.1: no port, nor its colon",
    holds: ({ uri: { authority = "" } }) => !authority.includes(":", authority.indexOf("@") + 1),
  },
  {
    name: "spiffe-trust-domain-characters",
    source: "SPIFFE-ID 2.1: lower case",
    holds: ({ uri }) => /^[a-z0-9._-]*$/.test(hostOf(uri)),
  },
  {
    name: "spiffe-trust-domain-length",
    source: "SPIFFE-ID 2.3: 255 bytes",
    holds: ({ uri }) => hostOf(uri).length <= 255,
  },
  {
    name: "spiffe-length",
    source: "SPIFFE-ID 2.3: 2048 bytes",
    holds: ({ uri }) => uri.text.length <= 2_048,
  },
  {
    name: "spiffe-no-query",
    source: "SPIFFE-ID 2",
    holds: ({ uri }) => uri.query === undefined,
  },
  {
    name: "spiffe-no-fragment",
    source: "SPIFFE-ID 2",
    holds: ({ uri }) => uri.fragment === undefined,
  },
  {
    name: "spiffe-path-present",
    source: "X509-SVID 3.1: a leaf has a non-root path",
    holds: ({ uri: { path } }) => path !== "" && path !== "/",
  },
  {
    name: "spiffe-path-characters",
    source: "SPIFFE-ID 2.2",
    holds: ({ uri }) => /^[a-zA-Z0-9._/-]*$/.test(uri.path),
  },
  {
    name: "spiffe-no-empty-segment",
    source: "SPIFFE-ID 2.2: nor a trailing slash",
    // A path of one slash is no path, and has its own lint.
    holds: ({ uri: { path } }) => path === "/" || !/\/(?:\/|$)/.test(path),
  },
  {
    name: "spiffe-no-dot-segment",
    source: "SPIFFE-ID 2.2",
    holds: ({ uri: { path } }) => !/\/\.{1,2}(?:\/|$)/.test(path),
  },
];
