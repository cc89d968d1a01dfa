require ["encoded-character","fileinto"]; fileinto "a${hex: 40 41}b${unicode: 20ac 1F600}${hex:123}${hex:}${foo}"; keep;
