# Written by `python tests/public_names.py`. The module has no file.
from outlast.definitions.editor import ApplyPatchApprovalFunction as ApplyPatchApprovalFunction
from outlast.definitions.editor import ApplyPatchEditor as ApplyPatchEditor
from outlast.definitions.editor import ApplyPatchOnApprovalFunction as ApplyPatchOnApprovalFunction
from outlast.definitions.editor import ApplyPatchOnApprovalFunctionResult as ApplyPatchOnApprovalFunctionResult
from outlast.definitions.editor import ApplyPatchOperation as ApplyPatchOperation
from outlast.definitions.editor import ApplyPatchOperationType as ApplyPatchOperationType
from outlast.definitions.editor import ApplyPatchResult as ApplyPatchResult
from outlast.definitions.editor import ApplyPatchTool as ApplyPatchTool
from outlast.definitions.editor import ApplyPatchToolCustomDataContext as ApplyPatchToolCustomDataContext
from outlast.definitions.editor import ApplyPatchToolCustomDataExtractor as ApplyPatchToolCustomDataExtractor
from outlast.definitions.editor import Edited as Edited
from outlast.definitions.editor import patch_operation as patch_operation
from outlast.definitions.editor import patch_output_item as patch_output_item
from outlast.definitions.editor import patch_result as patch_result
