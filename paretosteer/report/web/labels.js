// Names beside marks, left out where they would cover another name, a mark or a line.

const LINE_HEIGHT = 14;
const LETTER = 6.3;

// Place of the text by mark, "" for none; `points` are in pixels, the first ones matter most.
// `lines` are boxes that no text may cover.
function labelSides(points, names, width, height, lines) {
  const taken = points.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
  return points.map(([x, y], place) => {
    const long = LETTER * names[place].length;
    const boxes = {
      "middle right": [x + 10, y - LINE_HEIGHT / 2, x + 10 + long, y + LINE_HEIGHT / 2],
      "middle left": [x - 10 - long, y - LINE_HEIGHT / 2, x - 10, y + LINE_HEIGHT / 2],
      "top right": [x + 7, y - 9 - LINE_HEIGHT, x + 7 + long, y - 9],
      "bottom right": [x + 7, y + 9, x + 7 + long, y + 9 + LINE_HEIGHT],
      "top left": [x - 7 - long, y - 9 - LINE_HEIGHT, x - 7, y - 9],
      "bottom left": [x - 7 - long, y + 9, x - 7, y + 9 + LINE_HEIGHT],
      "top center": [x - long / 2, y - 9 - LINE_HEIGHT, x + long / 2, y - 9],
      "bottom center": [x - long / 2, y + 9, x + long / 2, y + 9 + LINE_HEIGHT],
    };
    const free = Object.entries(boxes).find(([, box]) =>
      box[0] > 0 && box[2] < width && box[1] > 0 && box[3] < height &&
      !taken.some((other, at) => at !== place && overlap(box, other)) &&
      !lines.some((other) => overlap(box, other)));
    if (!free) return "";
    taken.push(free[1]);
    return free[0];
  });
}

function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}
