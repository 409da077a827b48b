// The address of the page. Stands before the rooms that set it, in the same function.

// What the address says of the map is the map's own, and stays.
function pushAddress(link) {
  const [map] = /(?<=[?&])show=[\w-]+/.exec(location.search) ?? [];
  const address = map ? `${link}&${map}` : link;
  if (address !== location.search) history.pushState(null, "", address);
}
