/** TLS to a server outside of the mesh, as a DestinationRule of mode SIMPLE or MUTUAL says: with files of the proxy, not over SDS. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  SubjectAltNameMatcher_SanType as SanType,
  type CertificateValidationContextSchema,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type { ClientTls } from "../resources/client-tls.ts";
import {
  clientSocket,
  exactMatcher,
  tlsParams,
  type SanMatcher,
  type TransportSocket,
} from "./mesh-tls.ts";

export interface Origination {
  readonly tls: ClientTls;
  /** The service's. */
  readonly host: string;
  readonly alpn: readonly string[];
  /** PEM, where the rule names none. */
  readonly systemRootsFile: string;
}

export function originationSocket(origination: Origination): TransportSocket {
  const { tls, host, alpn } = origination;
  return clientSocket({
    sni: serverName(tls.sni ?? host),
    commonTlsContext: {
      tlsParams,
      alpnProtocols: [...alpn],
      tlsCertificates: certificatesOf(tls),
      validationContextType: { case: "validationContext", value: validation(origination) },
    },
  });
}

/** SIMPLE shows none, whatever files are named: the server was not meant to see them. */
function certificatesOf({ mode, clientCertificate, privateKey }: ClientTls) {
  if (mode !== "MUTUAL" || clientCertificate === undefined || privateKey === undefined) return [];
  return [{ certificateChain: file(clientCertificate), privateKey: file(privateKey) }];
}

function validation({
  tls,
  host,
  systemRootsFile,
}: Origination): MessageInitShape<typeof CertificateValidationContextSchema> {
  // Without a trusted CA Envoy asks for no proof at all.
  if (tls.insecureSkipVerify) return {};
  const { subjectAltNames, caCertificates = systemRootsFile } = tls;
  const names = subjectAltNames.length > 0 ? subjectAltNames : [tls.sni ?? host];
  return { trustedCa: file(caCertificates), matchTypedSubjectAltNames: names.map(sanMatcher) };
}

/** A name that stands in a certificate, by what it looks like. */
export function sanMatcher(name: string): SanMatcher {
  if (name.includes("://")) return exactMatcher(SanType.URI, name);
  return exactMatcher(isIpAddress(name) ? SanType.IP_ADDRESS : SanType.DNS, name);
}

/** RFC 6066 3: an IP address is no server name. */
function serverName(name: string): string {
  return isIpAddress(name) ? "" : name;
}

function isIpAddress(name: string): boolean {
  return name.includes(":") || /^\d+(?:\.\d+){3}$/.test(name);
}

function file(filename: string) {
  return { specifier: { case: "filename", value: filename } } as const;
}
