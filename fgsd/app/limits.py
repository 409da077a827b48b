"""Every bound of the page in one table: what a request may ask for, what the server keeps, how long it waits.

Each line has its unit and its reason. Settings of an algorithm, which bound nothing that a visitor does,
stand beside the algorithm.
"""

from __future__ import annotations

# ---- one request: `fgsd.app.requests` ----

MAX_CLASSES = 8  # textures in one mixture; each has a slider under the map
MAX_IMAGES = 16  # images of one run, a grid of 4 x 4
MAX_SIDE = 256  # pixels of a side; such an image has the pixels of 16 images of 64 pixels
# Of a painting that a program asks for, as of a pass of the network: an evaluation of it takes 0.1 to 0.4 s
# on two cores
MAX_PAINT_PIXELS = 32 * 64 * 64
# Pixels of a side of a painting on the page. Larger ones than above are offered if an evaluation takes at
# most `MAX_EVALUATION_S`, as measured when the server starts: previews of others wait for it
PAINT_SIDES = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
MAX_EVALUATION_S = 0.5
# Seconds, as measured when the server starts: of the first picture, which is as large as that allows; of
# what follows a drag, at least a picture of the smallest size; of the whole picture where the hand rests
MAX_FIRST_S, MAX_PREVIEW_S, MAX_WHOLE_PREVIEW_S = 1.5, 0.028, 0.5
MAX_PLAN_CHARACTERS = 1_000_000  # of a deflated plan in base64; one of 2,048 pixels a side takes some 20,000
MAX_REGIONS = 8  # of a painting; an evaluation with so many takes up to 1.6 times as long as with one
MAX_STEPS = 100  # steps of a run; the default is 16
MAX_SEED = 2**31 - 1  # fits 32 bits
MAX_STRENGTH = 2.0  # of the guidance; 1 moves features all the way to the target
MAX_MOVE = 2.0  # of a centroid over the PCA map, in map widths and heights
MIN_POINTS, MAX_POINTS = 5, 11  # images of a strip; they share the width of the screen
MIN_SWITCH, MAX_SWITCH = 1e-3, 1e3  # noise level of "coarse-fine"; wider than the levels of a table
# Of a query string as the visitor sees it, percent-decoded. Links of the page have about 300; eight names as
# long as file systems allow have 2,000.
MAX_LINK_CHARACTERS = 4000
MAX_QUOTED_CHARACTERS = 40  # of a rejected value that an error message repeats

# ---- one image or file: `fgsd.app.render` ----

MAX_SERIES_SIDE = 128  # pixels of a side in strips, grids and loops, which hold up to 64 images
MAX_LOOP_PASS_PIXELS = 8 * 64 * 64  # of a loop that are sampled together, so that it grows while it plays
MIN_FRAME_INTERVAL_S = 0.05  # seconds between two messages to the page
MAX_KEPT_FRAMES = 16  # newest frames that the value of a component holds while a run goes on
MAX_PREVIEW_CHARACTERS = 2_000_000  # of all step images of a run, about: 2 s on a line of 8 Mbit/s
MAX_SHEET_PIXELS = 16_000_000  # of all steps in a contact sheet; what is larger is scaled down
MAX_GIF_PIXELS = 12_000_000  # of all frames of a GIF
MAX_MP4_PIXELS = 50_000_000  # of all frames of an MP4
MIN_ANIMATED_SIDE = 256  # pixels; smaller steps are enlarged, since players show files at their own size
MIN_LOOP_GIF_SIDE, MIN_LOOP_MP4_SIDE = 128, 256  # pixels; the same for files of a loop
MAX_CROP_SIDE = 96  # pixels of a training crop beside the map
MAX_CACHED_POINTS = 64  # answers: positions of all crops for a projection and a noise level
MAX_CACHED_FEATURES = 32  # answers: one feature of all crops at a noise level
MAX_CACHED_CROPS = 2048  # answers: one crop, with its picture
MAX_CACHED_LEVELS = 4  # noise levels for which the nearest classes of all crops are kept

# ---- textures of a visitor: `fgsd.app.render.user_textures`, `fgsd.app.render.recipe` ----

MAX_USER_TEXTURES = 8  # of one visitor; the oldest is dropped
MAX_TEXTURE_VISITORS = 500  # visitors with textures; 30 kB each for the shipped checkpoint
MAX_STORED_IMAGES = 32  # of all visitors, 0.4 MB each, that wait to be learned; the oldest is dropped
MAX_TEXTURE_FILE_CHARACTERS = 270_000  # of a texture file in base64; one of the shipped checkpoint has 58,000
MAX_UPLOAD_CHARACTERS = 3_000_000  # of an image as a data URI; the page sends at most about 1024 x 512 pixels
MAX_UPLOAD_BYTES = 25_000_000  # of an image file; photographs of 50 megapixels take 8 to 20 MB
MAX_UPLOAD_PIXELS = 64_000_000  # of an image; cameras of "50 megapixels" have up to 51
MAX_DEEP_PIXELS = 16_000_000  # of an image of more than 8 bits a value, which takes eight times the memory
# in pixels; larger images are decoded at 1/2, 1/3, ... as far as their shorter side allows
MIN_DECODED_SIDE = 1024
MAX_PAGE_UPLOAD_SIDE = 512  # pixels of the shorter side, to which the page scales an image before it sends it
MAX_JPEG_SCANS = 100  # a photograph has about ten; files with 100,000 scans take minutes to decode
MAX_JPEG_SCANNED_PIXELS = 1_000_000_000  # pixels times scans: 15 s of decoding
MAX_SAVED_NAME_BYTES = 100  # of the classes in the name of a saved file; file systems allow about 255 in all
MAX_NAME_CHARACTERS = 24  # of a texture's name on its chip
MAX_FILE_NAME_CHARACTERS = 1000  # of a file name that is read
MAX_RECIPE_CHARACTERS = MAX_USER_TEXTURES * 200_000  # of a recipe file; see the next two lines
MAX_THUMBNAIL_CHARACTERS = 20_000  # of a thumbnail in a recipe, a WebP of 64 pixels
MAX_FEATURE_VALUE = 1e6  # of a centroid in a recipe; features of a network are a few units

# ---- learning: `fgsd.app.serving.learning` ----

LEARNING_STEPS = 60  # of a texture on the page; 20 steps give most of the gain
MAX_LEARNING_STEPS = 400  # that a program may ask for
MAX_LEARNERS = 16  # textures that are learned or wait in line; each holds a place in Gradio's queue
MAX_AUTO_LEARNING_S = 30.0  # seconds for all steps, above which the page asks before it learns
LEARNING_INTERVAL_S = 1.5  # seconds between two messages to the page
LEARNING_POLL_S = 0.5  # seconds after which a texture that waits in line looks whether its visitor is there

# ---- sampling: `fgsd.app.serving` ----

MAX_REQUESTS = 64  # requests under way; each holds a thread
MAX_REQUESTS_EACH = 8  # of one visitor: a page has at most four, and programs of one address count as one
# Pixels of a shared batch. On one thread of an AMD EPYC an image of 64 pixels takes 25 ms alone, 19 in a
# batch of two, 16 of eight, 15 of sixteen; an image of 96 pixels 38 alone and 34 in two; of 128 pixels 65 and
# 61; from 192 pixels on batches gain nothing. Eight images of 64 pixels give most of the gain at half of the
# wait. On a GPU nothing was measured: there the limit is that of a pass of the network,
# `fgsd.guidance.PASS_PIXELS`.
MAX_BATCH_PIXELS = {"cpu": 8 * 64 * 64}
MAX_VISITORS = 10_000  # whose network time and newest request are remembered
TIMEOUT_PREVIEW_S = 0.01  # batching delay: how long a full render waits for the next step of a preview
DRAG_PAUSE = 0.1  # seconds after a preview in which the next one of a drag comes; learning waits for it
MAX_LEARNING_DELAY = 0.4  # seconds that learning waits for previews between two parts of a gradient
MAX_BATCHING_DELAY = 0.5  # batching delay for full renders, as a share of the time of the last batch
MAX_GPU_RUNS = 2  # runs that wait for a lent GPU at once (ZeroGPU)
MAX_GPU_S = 120.0  # seconds for which one run may borrow a GPU
MAX_ADDRESS_CHARACTERS = 64  # of a client's address, as a proxy writes it
MAX_FILE_RUNS = 4  # files of steps in the making; the steps of one take about 100 MB

# ---- the map in 3D: `fgsd.app.render.space_data` ----

MAX_SPACE_POINTS = 2000  # crops that are drawn: more of them turn too slowly where no GPU draws

# ---- calls of programs: `fgsd.app.api` ----

# Work of one call, in steps of one image of 64 pixels: the largest setting of the page (16 images of 256
# pixels) in 16 steps. The server cannot tell that a program has gone unless the program had opened its event
# stream.
MAX_WORK = MAX_IMAGES * (MAX_SIDE / 64) ** 2 * 16
FILE_SWEEP_S = (600, 3600)  # seconds: every ten minutes Gradio deletes files older than an hour

# ---- HTTP: `fgsd.app.http`, `fgsd.app.gradio_internals`, `fgsd.app.server` ----

MAX_URL_CHARACTERS = 12_000  # of path and query, percent-encoded: a link takes up to 11,000
MAX_BODY_BYTES = 4_000_000  # of a request that uploads no file; an image of the page comes in one piece
MAX_BODY_VALUES = 20_000  # values in a JSON body; a page sends dozens
MAX_BODY_DEPTH = 24  # levels of nested lists and objects; a page needs six
MAX_ID_CHARACTERS = 64  # of a session, an event or a job; Gradio generates shorter ones
MAX_UPLOAD_BODY_BYTES = MAX_UPLOAD_BYTES + 100_000  # of the request that uploads a file, which names it
MAX_RECEIVED_BYTES = 8 * MAX_UPLOAD_BODY_BYTES  # of all uploads that are in memory at once
MAX_STORED_BYTES = 2_000_000_000  # of uploaded files on the disk, until they are swept
MAX_EVENT_CHARACTERS = 20_000  # of the values of one event; Gradio keeps a copy for each visitor
MAX_ERROR_CHARACTERS = 200  # of an error message of Gradio that is passed on
MAX_QUEUED_EVENTS = 64  # events that wait in Gradio's queue
MAX_SESSIONS = 100  # sessions whose state Gradio keeps; 90 kB each
MAX_THREADS = 2 * MAX_REQUESTS + 40  # a request under way holds a thread, and other work needs some too
TIMEOUT_BODY_S = 60.0  # seconds until the body of a request is complete
TIMEOUT_UPLOAD_S = 300.0  # seconds until an uploaded file is complete: 25 MB at 0.7 Mbit/s
TIMEOUT_UNREAD_S = 120.0  # seconds that a message may stay unread; a client that waits reads it at once
TIMEOUT_SHUTDOWN_S = 1.0  # seconds that responses under way may take when the server ends
TRIM_INTERVAL_S = 20.0  # seconds between two calls of malloc_trim
MAX_HEAPS = 2  # of the C library, see `fgsd.app.http.malloc`
