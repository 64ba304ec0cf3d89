# Written by `python tests/public_names.py`. The module has no file.
from outlast.models.endpoint import EndpointModel as EndpointModel
from outlast.models.endpoint import HEADERS as HEADERS
from outlast.models.endpoint import Request as Request
from outlast.models.endpoint import SUCCESS as SUCCESS
from outlast.models.endpoint import arguments_of as arguments_of
from outlast.models.endpoint import asking_once as asking_once
from outlast.models.endpoint import client_of as client_of
