/**
 * The agent's socket as a cluster, for streams that are configured over ADS: what the agent sends there is the same for all Envoys and for
 * ever, so the token that says whose Envoy it is comes from the bootstrap.
 */

import { BootstrapError } from "./bootstrap.ts";
import { sdsCluster, type EnvoyObject, type SdsCredential } from "./tls-context.ts";

export function agentCluster(socketPath: string, credential: SdsCredential): EnvoyObject {
  if (credential.kind === "none") return sdsCluster(socketPath);
  return sdsCluster(socketPath, [bearer(credential), upstreamCodec]);
}

/** An `authorization` on each stream, in the place of what is there. */
function bearer(credential: Exclude<SdsCredential, { readonly kind: "none" }>): EnvoyObject {
  const token = credential.kind === "token" ? credential.token : contentOf(credential.path);
  const header = { key: "authorization", value: `Bearer ${token}` };
  const append = { header, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
  return {
    name: "envoy.filters.http.header_mutation",
    typed_config: {
      "@type":
        "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
      mutations: {
        request_mutations: [{ append }],
        ...(credential.kind === "token-file" && { formatters: [fileContent] }),
      },
    },
  };
}

/** Its directory is watched: Kubernetes replaces a link in it, and not the file. */
function contentOf(path: string): string {
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  if (!/[:)%]/.test(path)) return `%FILE_CONTENT(${path}:${directory})%`;
  const expected = "expected the path of a token file without a colon, a bracket or a percent sign";
  throw new BootstrapError("token-path-invalid", `${expected}, got ${path}`, {
    hint: "Envoy's formats have no other way to write it: use another path, or a link",
  });
}

const fileContent = {
  name: "envoy.formatter.file_content",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.formatter.file_content.v3.FileContent",
  },
};

const upstreamCodec = {
  name: "envoy.filters.http.upstream_codec",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
  },
};
