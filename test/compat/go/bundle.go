package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

type bundleLine struct {
	TrustDomain        string   `json:"trust_domain"`
	Sequence           uint64   `json:"sequence"`
	RefreshHintSeconds float64  `json:"refresh_hint_seconds"`
	X509               []string `json:"x509"`
	JWT                []string `json:"jwt"`
	// Whether it is what the file says.
	Equal bool `json:"equal"`
}

// bundle fetches a trust bundle as another trust domain would, and compares it with a file.
func bundle(flags *flag.FlagSet) func(context.Context) error {
	url := flags.String("url", "", "of the bundle endpoint")
	domain := flags.String("trust-domain", "", "whose bundle it is")
	webRoots := flags.String("web-roots", "", "PEM; profile https_web")
	endpointID := flags.String("endpoint-id", "", "SPIFFE ID; profile https_spiffe, by --spiffe-roots")
	spiffeRoots := flags.String("spiffe-roots", "", "PEM roots of the endpoint's trust domain")
	compare := flags.String("compare", "", "bundle document")
	return func(ctx context.Context) error {
		trustDomain, err := spiffeid.TrustDomainFromString(*domain)
		if err != nil {
			return err
		}
		var profile federation.FetchOption
		if *webRoots != "" {
			profile, err = webProfile(*webRoots)
		} else {
			profile, err = spiffeProfile(*endpointID, *spiffeRoots)
		}
		if err != nil {
			return err
		}
		fetched, err := federation.FetchBundle(ctx, trustDomain, *url, profile)
		if err != nil {
			report("fetch", "", err)
			return nil
		}
		shown, err := spiffebundle.Load(trustDomain, *compare)
		if err != nil {
			return err
		}
		emit(describeBundle(fetched, fetched.Equal(shown)))
		return nil
	}
}

func webProfile(rootsFile string) (federation.FetchOption, error) {
	pem, err := os.ReadFile(rootsFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("expected certificates in %s", rootsFile)
	}
	return federation.WithWebPKIRoots(pool), nil
}

func spiffeProfile(endpointID, rootsFile string) (federation.FetchOption, error) {
	id, err := spiffeid.FromString(endpointID)
	if err != nil {
		return nil, err
	}
	roots, err := x509bundle.Load(id.TrustDomain(), rootsFile)
	if err != nil {
		return nil, err
	}
	return federation.WithSPIFFEAuth(roots, id), nil
}

func describeBundle(bundle *spiffebundle.Bundle, isEqual bool) bundleLine {
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	digests := []string{}
	for _, authority := range bundle.X509Authorities() {
		digest := sha256.Sum256(authority.Raw)
		digests = append(digests, hex.EncodeToString(digest[:]))
	}
	slices.Sort(digests)
	return bundleLine{
		TrustDomain:        bundle.TrustDomain().Name(),
		Sequence:           sequence,
		RefreshHintSeconds: hint.Seconds(),
		X509:               digests,
		JWT:                slices.Sorted(maps.Keys(bundle.JWTAuthorities())),
		Equal:              isEqual,
	}
}
